//! What a server counts of itself, and the page on which Prometheus finds it.

use crate::{
    contain,
    model::TaskStatus,
    server::Server,
    store::{self, SubscriptionId},
};
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};
use sea_orm::{DatabaseConnection, DbErr};
use std::time::Duration;

/// Seconds: from what is answered from memory to what an extension may take at most.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// A database that does not answer must not keep the rest of the page.
const DATABASE_WAIT: Duration = Duration::from_secs(1);

/// The metrics of one server.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    /// By route, method and status.
    requests: IntCounterVec,
    /// By route and method.
    durations: HistogramVec,
    /// By status.
    tasks: IntGaugeVec,
    /// By extension, subscription and state: events that wait, and dead letters.
    deliveries: IntGaugeVec,
    /// By extension and subscription: how far it is behind the end of the log.
    behind: IntGaugeVec,
    /// By extension: points that were written.
    pub(super) written: IntCounterVec,
    /// By extension, series and reason: points that were not.
    pub(super) dropped: IntCounterVec,
    /// By extension, series and tag: values beyond the limit.
    pub(super) replaced: IntCounterVec,
    /// By extension: points that wait.
    queued: IntGaugeVec,
}

impl Default for Metrics {
    fn default() -> Self {
        let durations = HistogramOpts::new(
            "rivetgun_http_request_duration_seconds",
            "Seconds until the head of an answer was there.",
        );
        let metrics = Self {
            registry: Registry::new(),
            requests: counter(
                "rivetgun_http_requests_total",
                "Requests; status 499: the client did not wait for the answer.",
                &["route", "method", "status"],
            ),
            durations: HistogramVec::new(durations.buckets(BUCKETS.to_vec()), &["route", "method"]).expect(NAMES),
            tasks: gauge("rivetgun_tasks", "Tasks that the database has.", &["status"]),
            deliveries: gauge(
                "rivetgun_subscription_deliveries",
                "Events that failed, or wait for one that did, by state: waiting, dead.",
                &["extension", "subscription", "state"],
            ),
            behind: gauge(
                "rivetgun_subscription_behind",
                "Events of the log that a subscription has not read yet, whether it wants them or not.",
                &["extension", "subscription"],
            ),
            written: counter(
                "rivetgun_monitoring_points_written_total",
                "Points of monitoring that an extension has written.",
                &["extension"],
            ),
            dropped: counter(
                "rivetgun_monitoring_points_dropped_total",
                "Points of monitoring that an extension was not given, or did not write, by reason: \
                 queue_full, sink_away, poison, stopped.",
                &["extension", "series", "reason"],
            ),
            replaced: counter(
                "rivetgun_monitoring_tag_values_replaced_total",
                "Values of tags that became `other`, since there were too many distinct ones.",
                &["extension", "series", "tag"],
            ),
            queued: gauge("rivetgun_monitoring_points_queued", "Points of monitoring that wait.", &["extension"]),
        };
        metrics.register();
        metrics
    }
}

const NAMES: &str = "the names are names, and each stands once";

fn counter(name: &str, about: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, about), labels).expect(NAMES)
}

fn gauge(name: &str, about: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, about), labels).expect(NAMES)
}

impl Metrics {
    fn register(&self) {
        let about = Opts::new("rivetgun_build_info", "What this server is; the value is always 1.");
        let build = IntGauge::with_opts(about.const_label("version", env!("CARGO_PKG_VERSION"))).expect(NAMES);
        build.set(1);
        let own: [Box<dyn Collector>; 10] = [
            Box::new(build),
            Box::new(self.requests.clone()),
            Box::new(self.durations.clone()),
            Box::new(self.tasks.clone()),
            Box::new(self.deliveries.clone()),
            Box::new(self.behind.clone()),
            Box::new(self.written.clone()),
            Box::new(self.dropped.clone()),
            Box::new(self.replaced.clone()),
            Box::new(self.queued.clone()),
        ];
        #[cfg(target_os = "linux")]
        let process: [Box<dyn Collector>; 1] = [Box::new(prometheus::process_collector::ProcessCollector::for_self())];
        #[cfg(not(target_os = "linux"))]
        let process: [Box<dyn Collector>; 0] = [];
        for collector in own.into_iter().chain(process).chain(contain::collectors()) {
            self.registry.register(collector).expect(NAMES);
        }
    }

    /// Counts what the database has.
    async fn count(&self, reader: &DatabaseConnection) -> Result<(), DbErr> {
        let counts = store::tasks::count_by_status(reader).await?;
        for status in TaskStatus::WORDS {
            let count = counts.iter().find(|(counted, _)| counted == status).map_or(0, |(_, count)| *count);
            self.tasks.with_label_values(&[status]).set(count);
        }
        let end = store::events::end(reader).await?;
        for standing in store::subscriptions::standings(reader).await? {
            let SubscriptionId { extension, name } = &standing.id;
            for (state, count) in [("waiting", standing.waiting), ("dead", standing.dead)] {
                self.deliveries.with_label_values(&[extension, name, state]).set(count.cast_signed());
            }
            self.behind.with_label_values(&[extension, name]).set((end - standing.position).max(0));
        }
        Ok(())
    }

    /// Counts a request. It costs no allocation, but for the first of its kind.
    pub(crate) fn count_request(&self, route: &str, method: &str, status: &str, took: Duration) {
        self.requests.with_label_values(&[route, method, status]).inc();
        self.durations.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }
}

/// All metrics, in the text format of Prometheus; those of the database only if it answers.
pub(crate) async fn page(server: &Server) -> Result<String, prometheus::Error> {
    let metrics = &server.metrics;
    for (extension, points) in server.monitor.queued() {
        metrics.queued.with_label_values(&[extension]).set(i64::try_from(points).unwrap_or(i64::MAX));
    }
    // What the database said earlier is not what is so now.
    for gauges in [&metrics.tasks, &metrics.deliveries, &metrics.behind] {
        gauges.reset();
    }
    let counted = metrics.count(server.store.reader());
    if !matches!(tokio::time::timeout(DATABASE_WAIT, counted).await, Ok(Ok(()))) {
        tracing::debug!("the database did not say how much there is of what it has");
    }
    TextEncoder::new().encode_to_string(&metrics.registry.gather())
}
