//! The section `[events]` of the settings.

use chrono::TimeDelta;
use serde::Deserialize;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// How events are delivered, and kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventSettings {
    /// For how many days events are kept at least. With 0 they are kept until every subscription has read them, and clients
    /// that follow the log may miss some, which they are told.
    retention_days: u32,
    /// After how many days in which nobody had it in hand a subscription is dead: events are not kept for it any longer, and
    /// what waits for it is dead letters. Never at once, since that would be all of them.
    pub(super) dead_after_days: NonZeroU32,
    /// How often it is tried to deliver an event.
    pub(super) attempts: NonZeroU32,
    /// How long it is waited after the first attempt; after each further one twice as long.
    first_retry_ms: u64,
    /// How long it is waited at most.
    longest_retry_s: u64,
    /// How long a handler may take.
    handler_timeout_ms: u64,
    /// How many events of one subscription are handled at the same time at most.
    pub(super) parallel: NonZeroUsize,
    /// How many clients may follow the log at the same time.
    pub(crate) streams: NonZeroUsize,
    /// After what time a client of a WebSocket is let go that takes nothing, or is not heard of.
    client_timeout_ms: u64,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self {
            retention_days: 7,
            dead_after_days: NonZeroU32::MIN.saturating_add(6),
            attempts: NonZeroU32::MIN.saturating_add(19),
            first_retry_ms: 1_000,
            longest_retry_s: 3_600,
            handler_timeout_ms: 30_000,
            parallel: NonZeroUsize::MIN.saturating_add(7),
            streams: NonZeroUsize::MIN.saturating_add(999),
            client_timeout_ms: 60_000,
        }
    }
}

impl EventSettings {
    pub(super) fn handler_timeout(&self) -> Duration {
        Duration::from_millis(self.handler_timeout_ms)
    }

    pub(crate) fn client_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms.max(3))
    }

    /// How long it is waited after so many attempts, where the extension wishes to wait for so long at least.
    pub(super) fn wait_after(&self, attempts: u32, wish: Duration) -> TimeDelta {
        let first = Duration::from_millis(self.first_retry_ms);
        let wait = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
        let wait = wait.max(wish).min(Duration::from_secs(self.longest_retry_s));
        TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
    }

    pub(super) fn retention(&self) -> TimeDelta {
        TimeDelta::days(self.retention_days.into())
    }

    /// After how many seconds a subscription is dead.
    pub(super) fn dead_after_s(&self) -> i64 {
        i64::from(self.dead_after_days.get()) * 24 * 60 * 60
    }
}
