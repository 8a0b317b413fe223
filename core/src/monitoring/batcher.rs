//! Gathers the points of one sink into batches, and sees each of them to its end: written, or dropped and counted.

use super::{Dropped, MonitoringSettings, Sink, guard::Guard};
use crate::{
    contain::{self, NotWritten, OwnThread},
    extension::Leash,
    model::Point,
    server::Server,
};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::{ops::Range, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long it is waited before a batch is offered again, at first and at most; and when the server stops.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);
const CLOSING: Duration = Duration::from_millis(100);

pub(super) struct Batcher {
    server: Arc<Server>,
    sink: Arc<Sink>,
    thread: OwnThread,
    leash: Arc<Leash>,
    closing: CancellationToken,
    guard: Guard,
    /// What is not written yet, in parts: the last of them is the next, and holds the oldest points.
    parts: Vec<Part>,
    /// Whether the sink was away when it was last called.
    is_away: bool,
}

/// A part of a batch.
#[derive(Debug, Clone)]
struct Part {
    batch: Arc<[Point]>,
    range: Range<usize>,
}

impl AsRef<[Point]> for Part {
    fn as_ref(&self) -> &[Point] {
        &self.batch[self.range.clone()]
    }
}

impl Part {
    /// The earlier and the later half.
    fn halves(self) -> [Self; 2] {
        let Self { batch, range: Range { start, end } } = self;
        let middle = start.midpoint(end);
        [Self { batch: Arc::clone(&batch), range: start..middle }, Self { batch, range: middle..end }]
    }
}

impl Batcher {
    pub(super) fn new(server: &Arc<Server>, sink: &Arc<Sink>, closing: &CancellationToken) -> Self {
        Self {
            server: Arc::clone(server),
            sink: Arc::clone(sink),
            thread: OwnThread::new(format!("{} on_monitoring", sink.name())),
            leash: server.leash(),
            closing: closing.clone(),
            guard: Guard::new(server.settings.monitoring.tag_values),
            parts: Vec::new(),
            is_away: false,
        }
    }

    /// Goes on until no more points are to be waited for, and none is left.
    pub(super) async fn run(&mut self) {
        loop {
            let is_closing = self.wait().await;
            let batch = self.gather();
            if !batch.is_empty() {
                self.parts.push(Part { range: 0..batch.len(), batch: batch.into() });
                self.deliver().await;
            } else if is_closing {
                return;
            }
        }
    }

    /// Gives up what has not been written.
    pub(super) fn drop_rest(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        let rest: Vec<Point> = parts.iter().flat_map(|part| part.as_ref().iter().cloned()).collect();
        self.sink.drop_rest(&rest);
    }

    /// Waits until a batch is due; whether it is because the server stops.
    async fn wait(&self) -> bool {
        tokio::select! {
            () = self.closing.cancelled() => true,
            () = self.sink.queue.enough() => false,
            () = tokio::time::sleep(self.settings().interval()) => false,
        }
    }

    /// Takes a batch out of the queue, if only of a few points.
    fn gather(&mut self) -> Vec<Point> {
        let mut batch = Vec::new();
        while batch.len() < usize::from(self.settings().batch.get()) {
            let Some(mut point) = self.sink.queue.pop() else { break };
            for tag in self.guard.check(&mut point) {
                self.sink.metrics.replaced.with_label_values(&[self.sink.name(), point.series(), tag]).inc();
            }
            batch.push(point);
        }
        batch
    }

    /// Offers the parts until each is written or dropped. What the sink calls poison is cut in half.
    async fn deliver(&mut self) {
        let mut pauses = self.pauses();
        while let Some(part) = self.parts.last().cloned() {
            match self.write(part.clone()).await {
                Ok(()) => {
                    let written = part.as_ref().len() as u64;
                    self.sink.metrics.written.with_label_values(&[self.sink.name()]).inc_by(written);
                    self.parts.pop();
                    self.is_back();
                    pauses = self.pauses();
                }
                Err(NotWritten::Poison(fault)) => {
                    self.parts.pop();
                    if part.as_ref().len() > 1 {
                        let [earlier, later] = part.halves();
                        self.parts.extend([later, earlier]);
                    } else {
                        let point = part.as_ref();
                        tracing::warn!(extension = self.sink.name(), ?point, %fault, "a point cannot be written");
                        self.count_dropped(point, Dropped::Poison);
                    }
                }
                Err(NotWritten::Transient(fault)) => {
                    if !self.is_away {
                        let extension = self.sink.name();
                        tracing::warn!(extension, %fault, "points cannot be written just now, and will be offered again");
                    }
                    self.is_away = true;
                    match pauses.next() {
                        Some(pause) => self.pause(pause).await,
                        None => self.give_up(&fault),
                    }
                }
            }
        }
    }

    async fn write(&self, part: Part) -> Result<(), NotWritten> {
        let (server, sink) = (&self.server, &self.sink);
        let cx = server.background_context(&sink.loaded, &self.leash);
        contain::on_monitoring(&self.thread, &sink.loaded, cx, part, self.settings().write_timeout()).await
    }

    fn is_back(&mut self) {
        if std::mem::take(&mut self.is_away) {
            tracing::info!(extension = self.sink.name(), "points are written again");
        }
    }

    /// Drops the oldest part.
    fn give_up(&mut self, fault: &contain::Fault) {
        let Some(part) = self.parts.pop() else { return };
        let points = part.as_ref();
        tracing::error!(extension = self.sink.name(), points = points.len(), %fault, "points are dropped: the sink is away");
        self.count_dropped(points, Dropped::SinkAway);
    }

    /// Waits, but not long when the server stops.
    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = async {
                self.closing.cancelled().await;
                tokio::time::sleep(CLOSING).await;
            } => {}
        }
    }

    /// The pauses between attempts, as long as there may be any.
    fn pauses(&self) -> ExponentialBackoff {
        let pauses = ExponentialBuilder::new().with_min_delay(FIRST).with_max_delay(LONGEST).without_max_times();
        pauses.with_jitter().with_total_delay(Some(self.settings().retry_for())).build()
    }

    fn count_dropped(&self, points: &[Point], why: Dropped) {
        for point in points {
            self.sink.count_dropped(point, why);
        }
    }

    fn settings(&self) -> &MonitoringSettings {
        &self.server.settings.monitoring
    }
}
