//! How many clients follow the event log, and how many of them read it at once: requests come first.

use std::{num::NonZeroUsize, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// How many clients read at the same time, each with one of the few connections to the database.
const READERS: usize = 2;

/// The places for clients that follow the log.
#[derive(Debug)]
pub(crate) struct Streams {
    most: usize,
    places: Arc<Semaphore>,
    turns: Semaphore,
}

/// The place of a client.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit);

/// All places are taken.
#[derive(Debug, thiserror::Error)]
#[error("{0} clients follow the event log, and no more may (`streams` of [events] in the settings); try again later")]
pub(crate) struct Full(usize);

impl Streams {
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        // What is more than a semaphore can count is as good as all that it can.
        let most = most.get().min(Semaphore::MAX_PERMITS);
        Self { most, places: Arc::new(Semaphore::new(most)), turns: Semaphore::new(READERS) }
    }

    /// A place for a client, which it has as long as it keeps it.
    pub(crate) fn place(&self) -> Result<Place, Full> {
        Arc::clone(&self.places).try_acquire_owned().map(Place).map_err(|_| Full(self.most))
    }

    /// Waits until it may read. The semaphore is never closed.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }
}
