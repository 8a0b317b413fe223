//! How long it is waited before something is tried again.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;

/// The pauses between attempts, which get longer, and differ a little so that not all servers come at once.
#[derive(Debug)]
pub(crate) struct Patience(ExponentialBackoff);

impl Patience {
    const LONGEST: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Self {
        let pauses = ExponentialBuilder::new().with_min_delay(Duration::from_millis(100)).with_jitter();
        Self(pauses.with_max_delay(Self::LONGEST).without_max_times().build())
    }

    /// Waits for the next attempt.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0.next().unwrap_or(Self::LONGEST)).await;
    }
}
