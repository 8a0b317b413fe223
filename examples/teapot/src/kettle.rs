//! The water, which gets hotter.

use std::sync::atomic::{AtomicU8, Ordering};

/// In degrees centigrade.
const BOILING: u8 = 100;

/// It belongs to one process: each of several replicas boils its own.
#[derive(Debug, Default)]
pub(crate) struct Kettle(AtomicU8);

impl Kettle {
    pub(crate) fn temperature(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    /// Heats the water by a degree, until it boils.
    pub(crate) fn heat(&self) {
        let temperature = self.temperature().saturating_add(1).min(BOILING);
        self.0.store(temperature, Ordering::Relaxed);
        if temperature < BOILING {
            tracing::info!(temperature, "I boil water");
        } else {
            tracing::info!("boiling water is ready, would you care for a cup of tea?");
        }
    }
}
