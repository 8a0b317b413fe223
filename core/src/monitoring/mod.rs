//! Points of monitoring, from whoever measures to the extensions that hear of them: a queue and a batcher for each, so that
//! nobody waits for anybody. And the metrics that the server shows without any extension.

mod batcher;
mod guard;
mod metrics;
mod queue;
mod settings;

pub(crate) use metrics::{Metrics, page};
pub(crate) use settings::MonitoringSettings;

use crate::{
    contain,
    model::Point,
    registry::{Loaded, Registry},
    server::Server,
};
use batcher::Batcher;
use queue::Queue;
use std::{fmt, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long all sinks together may take for what is left when the server stops.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Where points go.
#[derive(Clone)]
pub(crate) struct Monitor(Arc<Inner>);

struct Inner {
    service: Arc<str>,
    sinks: Vec<Arc<Sink>>,
    batchers: TaskTracker,
    /// No more points are to be waited for.
    closing: CancellationToken,
    /// What has not been written by now never will be.
    closed: CancellationToken,
}

/// An extension that hears of points.
struct Sink {
    loaded: Arc<Loaded>,
    queue: Queue,
    metrics: Metrics,
}

/// Why a point was dropped.
#[derive(Debug, Clone, Copy)]
enum Dropped {
    QueueFull,
    SinkAway,
    Poison,
    Stopped,
}

impl Monitor {
    /// Of those who could hear of points, the ones that say within `limit` that they do.
    pub(crate) fn new(settings: &MonitoringSettings, registry: &Registry, metrics: &Metrics, limit: Duration) -> Self {
        let heard = registry.iter().filter(|loaded| contain::monitors(loaded, limit));
        let sink = |loaded: &Arc<Loaded>| Sink {
            loaded: Arc::clone(loaded),
            queue: Queue::new(settings.queue.get().into(), settings.batch.get().into()),
            metrics: metrics.clone(),
        };
        Self(Arc::new(Inner {
            service: settings.service.as_str().into(),
            sinks: heard.map(sink).map(Arc::new).collect(),
            batchers: TaskTracker::new(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        }))
    }

    /// Whether anybody hears of points.
    pub(crate) fn is_heard(&self) -> bool {
        !self.0.sinks.is_empty()
    }

    /// Hands a point to all who hear of it. It neither waits nor, however many these are, allocates.
    pub(crate) fn send(&self, mut point: Point) {
        if !self.is_heard() {
            return;
        }
        point.set_tag("service", Arc::clone(&self.0.service).into());
        // What has failed has nobody who would read its queue; what still starts will have.
        for sink in self.0.sinks.iter().filter(|sink| sink.loaded.condition.failure().is_none()) {
            if let Err(point) = sink.queue.push(point.clone()) {
                sink.count_dropped(&point, Dropped::QueueFull);
            }
        }
    }

    /// Who hears of points.
    pub(crate) fn heard_by(&self) -> impl Iterator<Item = &Arc<Loaded>> {
        self.0.sinks.iter().map(|sink| &sink.loaded)
    }

    /// How many points wait for whom.
    fn queued(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.0.sinks.iter().map(|sink| (sink.name(), sink.queue.len()))
    }

    /// Writes what waits, and ends. Points that come later are not written; see [`Monitor::drop_rest`].
    pub(crate) async fn close(&self) {
        let Inner { batchers, closing, closed, .. } = &*self.0;
        closing.cancel();
        batchers.close();
        if tokio::time::timeout(CLOSE_WAIT, batchers.wait()).await.is_err() {
            closed.cancel();
            // One whose sink blocks its thread cannot be ended by anybody.
            drop(tokio::time::timeout(CLOSE_WAIT / 5, batchers.wait()).await);
        }
    }

    /// Gives up what came after it was closed.
    pub(crate) fn drop_rest(&self) {
        for sink in &self.0.sinks {
            sink.drop_rest(&[]);
        }
    }
}

/// Hands points on from now on, until the [`Monitor`] is closed.
pub(crate) fn start(server: &Arc<Server>) {
    let Inner { sinks, batchers, closing, closed, .. } = &*server.monitor.0;
    for sink in sinks.iter().filter(|sink| sink.loaded.is_available()) {
        let (mut batcher, closed) = (Batcher::new(server, sink, closing), closed.clone());
        batchers.spawn(async move {
            closed.run_until_cancelled(batcher.run()).await;
            batcher.drop_rest();
        });
    }
}

impl Sink {
    fn name(&self) -> &'static str {
        self.loaded.metadata.name
    }

    /// Gives up what has not been written: these points, and what waits.
    fn drop_rest(&self, points: &[Point]) {
        let waiting: Vec<Point> = std::iter::from_fn(|| self.queue.pop()).collect();
        let points = || points.iter().chain(&waiting);
        let count = points().count();
        if count > 0 {
            tracing::warn!(extension = self.name(), points = count, "points were not written before the stop");
        }
        for point in points() {
            self.count_dropped(point, Dropped::Stopped);
        }
    }

    fn count_dropped(&self, point: &Point, why: Dropped) {
        let reason = match why {
            Dropped::QueueFull => "queue_full",
            Dropped::SinkAway => "sink_away",
            Dropped::Poison => "poison",
            Dropped::Stopped => "stopped",
        };
        self.metrics.dropped.with_label_values(&[self.name(), point.series(), reason]).inc();
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Monitor")
    }
}
