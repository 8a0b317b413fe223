//! The section `[monitoring]` of the settings.

use serde::Deserialize;
use std::{
    num::{NonZeroU16, NonZeroU64},
    time::Duration,
};

/// How points come to those who hear of them, and how many may wait.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MonitoringSettings {
    /// The tag `service` of every point.
    pub(crate) service: String,
    /// How many points may wait for each sink; what comes beyond is dropped and counted.
    pub(super) queue: NonZeroU16,
    /// How many points a sink is given at once, at most.
    pub(super) batch: NonZeroU16,
    /// How many milliseconds a point waits, at most, until a sink that is well is given it.
    interval_ms: NonZeroU64,
    /// How many milliseconds a sink may take for a batch.
    write_timeout_ms: NonZeroU64,
    /// For how many milliseconds a batch is offered again to a sink that is away; then it is dropped and counted.
    retry_for_ms: u64,
    /// How many distinct values a tag of a series may have; all others become `other`.
    pub(super) tag_values: usize,
}

impl Default for MonitoringSettings {
    fn default() -> Self {
        let number = |number: u16| NonZeroU16::MIN.saturating_add(number - 1);
        let milliseconds = |milliseconds: u64| NonZeroU64::MIN.saturating_add(milliseconds - 1);
        Self {
            service: "rivetgun".to_owned(),
            queue: number(8192),
            batch: number(200),
            interval_ms: milliseconds(1_000),
            write_timeout_ms: milliseconds(10_000),
            retry_for_ms: 60_000,
            tag_values: 1_000,
        }
    }
}

impl MonitoringSettings {
    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.get())
    }

    pub(super) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms.get())
    }

    pub(super) fn retry_for(&self) -> Duration {
        Duration::from_millis(self.retry_for_ms)
    }
}
