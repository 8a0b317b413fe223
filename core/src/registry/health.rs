//! How an extension is: what `GET /extensions` tells, and whether it is called.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use utoipa::ToSchema;

/// So long after its last fault an extension is well again.
const CONVALESCENCE: TimeDelta = TimeDelta::minutes(10);

/// How an extension is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExtensionStatus {
    /// It is not ready yet.
    Starting,
    /// All is well.
    Running,
    /// In the last ten minutes it failed inside of a change that went on without it, or in the background.
    Degraded,
    /// It could not be initialized or started. The server serves without it until it is started anew.
    Failed,
}

/// How an extension is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) status: ExtensionStatus,
    pub(crate) reason: Option<String>,
}

/// What is known of how an extension is.
///
/// From `starting` it goes to `running` or `failed`, for as long as the process lives. A fault makes what runs `degraded`,
/// and ten minutes without another make it `running` again: a condition of its own for each kind of fault would look well
/// between two of them.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    is_initialized: AtomicBool,
    is_started: AtomicBool,
    /// Shared with the contexts of those who call it.
    failed: Arc<OnceLock<String>>,
    fault: Mutex<Option<Fault>>,
}

#[derive(Debug)]
struct Fault {
    time: DateTime<Utc>,
    reason: String,
}

impl Condition {
    /// Notes that it has begun what it will have to close.
    pub(crate) fn initialized(&self) {
        self.is_initialized.store(true, Ordering::Release);
    }

    /// Whether it is to be closed; once.
    pub(crate) fn take_initialized(&self) -> bool {
        self.is_initialized.swap(false, Ordering::AcqRel)
    }

    /// Notes that it is ready.
    pub(crate) fn run(&self) {
        self.is_started.store(true, Ordering::Release);
    }

    /// Notes that it cannot be used; the first reason stays.
    pub(crate) fn fail(&self, reason: String) {
        // It has a reason already then.
        drop(self.failed.set(reason));
    }

    /// Notes that it failed in something that went on without it.
    pub(crate) fn degrade(&self, time: DateTime<Utc>, reason: String) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fault { time, reason });
    }

    /// Whether it may be called.
    pub(crate) fn is_available(&self) -> bool {
        self.is_started.load(Ordering::Acquire) && self.failed.get().is_none()
    }

    /// Why it has failed, once it has.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }

    pub(super) fn shared_failure(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.failed)
    }

    pub(crate) fn health(&self, now: DateTime<Utc>) -> Health {
        if let Some(reason) = self.failed.get() {
            return Health { status: ExtensionStatus::Failed, reason: Some(reason.clone()) };
        }
        if !self.is_started.load(Ordering::Acquire) {
            return Health { status: ExtensionStatus::Starting, reason: None };
        }
        match &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(fault) if now - fault.time < CONVALESCENCE => {
                Health { status: ExtensionStatus::Degraded, reason: Some(fault.reason.clone()) }
            }
            _ => Health { status: ExtensionStatus::Running, reason: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_degraded_runs_again_after_ten_minutes_without_a_fault() {
        let begin = DateTime::UNIX_EPOCH;
        let after = |minutes| begin + TimeDelta::minutes(minutes);
        let condition = Condition::default();
        assert_eq!(condition.health(begin).status, ExtensionStatus::Starting);
        assert!(!condition.is_available());
        condition.run();
        assert_eq!(condition.health(begin), Health { status: ExtensionStatus::Running, reason: None });

        condition.degrade(begin, "one".to_owned());
        condition.degrade(after(5), "two".to_owned());
        let degraded = Health { status: ExtensionStatus::Degraded, reason: Some("two".to_owned()) };
        assert_eq!(condition.health(after(14)), degraded);
        assert!(condition.is_available());
        assert_eq!(condition.health(after(15)).status, ExtensionStatus::Running);
    }

    #[test]
    fn what_has_failed_stays_so_for_its_first_reason() {
        let condition = Condition::default();
        condition.fail("one".to_owned());
        condition.fail("two".to_owned());
        condition.run();
        condition.degrade(DateTime::UNIX_EPOCH, "three".to_owned());
        let failed = Health { status: ExtensionStatus::Failed, reason: Some("one".to_owned()) };
        assert_eq!(condition.health(DateTime::UNIX_EPOCH), failed);
        assert!(!condition.is_available());
    }
}
