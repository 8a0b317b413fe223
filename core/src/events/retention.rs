//! Forgets events that are old, and never those that a subscription still has to read, unless it is dead.

use crate::{server::Server, store};
use sea_orm::DbErr;
use std::{sync::Arc, time::Duration};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// How many events go in one transaction.
const AT_ONCE: u64 = 1_000;

pub(super) async fn keep_forgetting(server: Arc<Server>) -> Result<(), String> {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let forgotten = forget(&server).await.map_err(|error| error.to_string())?;
        if forgotten > 0 {
            tracing::info!(forgotten, "old events are forgotten");
        }
    }
}

/// Forgets once; how many events there were.
pub(super) async fn forget(server: &Server) -> Result<u64, DbErr> {
    let settings = &server.settings.events;
    let older_than = server.clock.now() - settings.retention();
    let mut forgotten = 0;
    loop {
        let tx = server.store.write().await?;
        store::subscriptions::forget_dead(&tx, settings.dead_after_s()).await?;
        let up_to = store::subscriptions::slowest(&tx, settings.dead_after_s()).await?.unwrap_or(i64::MAX);
        let some = store::events::forget(&tx, older_than, up_to, AT_ONCE).await?;
        tx.commit().await?;
        forgotten += some;
        if some < AT_ONCE {
            return Ok(forgotten);
        }
    }
}
