//! Where points wait for one sink. Whoever brings one neither waits nor allocates.

use crate::model::Point;
use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;

/// A bounded queue that rouses its reader for a whole batch, and not for each point.
#[derive(Debug)]
pub(super) struct Queue {
    points: ArrayQueue<Point>,
    /// So many are worth being read at once.
    batch: usize,
    enough: Notify,
}

impl Queue {
    /// Neither of the numbers is zero.
    pub(super) fn new(length: usize, batch: usize) -> Self {
        // A batch is complete when the queue is full, at the latest.
        Self { points: ArrayQueue::new(length), batch: batch.min(length), enough: Notify::new() }
    }

    /// Takes a point, or gives it back when the queue is full.
    pub(super) fn push(&self, point: Point) -> Result<(), Point> {
        self.points.push(point)?;
        if self.points.len() >= self.batch {
            self.enough.notify_one();
        }
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<Point> {
        self.points.pop()
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Waits until there are enough for a batch.
    pub(super) async fn enough(&self) {
        while self.len() < self.batch {
            self.enough.notified().await;
        }
    }
}
