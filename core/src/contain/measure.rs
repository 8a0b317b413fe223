//! How often extensions are called, how long that takes, and what becomes of it.
//!
//! One process has one such count: there is no server yet when the first calls are made.

use super::{Call, Fault};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, core::Collector};
use std::{sync::LazyLock, time::Duration};

/// Seconds: from what does nothing to what waits for other systems.
const BUCKETS: [f64; 11] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

static CALLS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let about = "Calls of extensions, and the seconds that they took.";
    let options = HistogramOpts::new("rivetgun_extension_call_duration_seconds", about).buckets(BUCKETS.to_vec());
    HistogramVec::new(options, &["extension", "hook"]).expect("the names are names")
});

static FAULTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let about = "Calls of extensions that did not end well, by kind: refused, failed, panicked, timed_out.";
    let options = Opts::new("rivetgun_extension_faults_total", about);
    IntCounterVec::new(options, &["extension", "hook", "kind"]).expect("the names are names")
});

/// What is counted here, for a page of metrics.
pub(crate) fn collectors() -> [Box<dyn Collector>; 2] {
    [Box::new(CALLS.clone()), Box::new(FAULTS.clone())]
}

/// Counts a call, however it ended.
pub(super) fn called(call: Call, took: Duration) {
    CALLS.with_label_values(&[call.extension, call.method]).observe(took.as_secs_f64());
}

/// Counts a call that did not end well.
pub(super) fn faulted(call: Call, fault: &Fault) {
    let kind = match fault {
        Fault::Refused(_) => "refused",
        Fault::Failed(_) => "failed",
        Fault::Panicked(_) => "panicked",
        Fault::TimedOut(_) => "timed_out",
        Fault::Blocked(_) => "blocked",
        Fault::HeldUp(_) => "held_up",
    };
    FAULTS.with_label_values(&[call.extension, call.method, kind]).inc();
}
