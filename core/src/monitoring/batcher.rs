//! Gathers the points of one sink into batches, and sees each of them to its end: written, or dropped and counted.

use super::{Dropped, MonitoringSettings, Sink, guard::Guard};
use crate::{
    contain::{self, NotWritten},
    deploy,
    extension::ExtensionContext,
    model::Point,
    server::Server,
};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long it is waited before a batch is offered again, at first and at most; and when the server stops.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);
const CLOSING: Duration = Duration::from_millis(100);

pub(super) struct Batcher {
    server: Arc<Server>,
    sink: Arc<Sink>,
    closing: CancellationToken,
    guard: Guard,
    /// What is not written yet, in parts: the last of them is the next, and holds the oldest points.
    parts: Vec<Vec<Point>>,
    /// Whether the sink was away when it was last called.
    is_away: bool,
}

impl Batcher {
    pub(super) fn new(server: &Arc<Server>, sink: &Arc<Sink>, closing: &CancellationToken) -> Self {
        Self {
            server: Arc::clone(server),
            sink: Arc::clone(sink),
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
                self.parts.push(batch);
                self.deliver().await;
            } else if is_closing {
                return;
            }
        }
    }

    /// Gives up what has not been written.
    pub(super) fn drop_rest(&mut self) {
        let parts = std::mem::take(&mut self.parts).into_iter().flatten();
        let rest: Vec<Point> = parts.chain(std::iter::from_fn(|| self.sink.queue.pop())).collect();
        if !rest.is_empty() {
            tracing::warn!(
                extension = self.sink.name(),
                points = rest.len(),
                "points were not written before the stop"
            );
            self.count_dropped(&rest, Dropped::Stopped);
        }
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
        while let Some(part) = self.parts.last() {
            match self.write(part).await {
                Ok(()) => {
                    let written = part.len() as u64;
                    self.sink.metrics.written.with_label_values(&[self.sink.name()]).inc_by(written);
                    self.parts.pop();
                    self.is_back();
                    pauses = self.pauses();
                }
                Err(NotWritten::Poison(fault)) => {
                    let mut part = self.parts.pop().unwrap_or_default();
                    if part.len() > 1 {
                        let later = part.split_off(part.len() / 2);
                        self.parts.extend([later, part]);
                    } else {
                        tracing::warn!(extension = self.sink.name(), point = ?part, %fault, "a point cannot be written");
                        self.count_dropped(&part, Dropped::Poison);
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

    async fn write(&self, points: &[Point]) -> Result<(), NotWritten> {
        let (server, sink) = (&self.server, &self.sink);
        let scope = server.scope(&sink.loaded, server.clock.now());
        let cx = ExtensionContext::new(scope, server.store.clone(), deploy::desk(server));
        contain::on_monitoring(&sink.loaded, &cx, points, self.settings().write_timeout()).await
    }

    fn is_back(&mut self) {
        if std::mem::take(&mut self.is_away) {
            tracing::info!(extension = self.sink.name(), "points are written again");
        }
    }

    /// Drops the oldest part.
    fn give_up(&mut self, fault: &contain::Fault) {
        let part = self.parts.pop().unwrap_or_default();
        tracing::error!(extension = self.sink.name(), points = part.len(), %fault, "points are dropped: the sink is away");
        self.count_dropped(&part, Dropped::SinkAway);
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
