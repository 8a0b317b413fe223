//! The section `[extensions.teapot]`.

use rivetgun::prelude::*;
use std::time::Duration;

/// How the water is boiled.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Milliseconds for a degree.
    interval_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { interval_ms: 1_000 }
    }
}

impl Settings {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.interval_ms == 0 {
            return Err(Error::invalid("`interval_ms` must be at least 1: no fire heats water at once"));
        }
        Ok(())
    }
}
