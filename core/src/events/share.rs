//! Which replica has which subscription in hand.
//!
//! Every replica takes what nobody has, up to its fair share of all, and lets go of what is more than that, so that
//! replicas that come later get some. One that dies lets go of all when its time is over.

use super::{LEASE, TICK, delivery::Run};
use crate::{
    error::chain,
    extension::Declared,
    registry::Loaded,
    server::Server,
    store::{self, SubscriptionId},
};
use sea_orm::DbErr;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// For how many seconds a replica counts that was not heard of.
const REPLICA_SECONDS: i64 = LEASE.as_secs().cast_signed();

/// The subscriptions of this server.
struct Share {
    server: Arc<Server>,
    all: BTreeMap<SubscriptionId, (Arc<Loaded>, Declared)>,
    /// Those that it has in hand, with what makes it let go.
    in_hand: Mutex<BTreeMap<SubscriptionId, CancellationToken>>,
}

pub(super) async fn keep_sharing(server: Arc<Server>) -> Result<(), String> {
    let share = Arc::new(Share::of(&server));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        balance(&share).await.map_err(|error| error.to_string())?;
    }
}

/// Says of a server that stops that it is gone.
pub(super) fn leave_at_the_end(server: &Arc<Server>) {
    let owner = Arc::clone(server);
    server.work.spawn(async move {
        owner.stopping.cancelled().await;
        if let Err(error) = store::subscriptions::forget_replica(&owner.store, owner.id).await {
            tracing::debug!(%error, "that this server is gone could not be told");
        }
    });
}

/// Takes subscriptions, or lets go of some, so that all replicas have as many.
async fn balance(share: &Arc<Share>) -> Result<(), DbErr> {
    let server = &share.server;
    let replicas = store::subscriptions::beat(&server.store, server.id, REPLICA_SECONDS).await?;
    let fair = share.all.len().div_ceil(usize::try_from(replicas).unwrap_or(1).max(1));
    for let_go in share.in_hand().values().skip(fair) {
        let_go.cancel();
    }
    for (id, (loaded, declared)) in &share.all {
        let Ok(filter) = &declared.filter else { continue };
        let (is_mine, count) = {
            let in_hand = share.in_hand();
            (in_hand.contains_key(id), in_hand.len())
        };
        if is_mine || count >= fair {
            continue;
        }
        if let Some(claim) = store::subscriptions::claim(&server.store, id, server.id, REPLICA_SECONDS).await? {
            let run = Run::new(Arc::clone(server), Arc::clone(loaded), filter.clone(), claim);
            deliver(share, id.clone(), run);
        }
    }
    Ok(())
}

/// Delivers in the background. The run lets go in order when the server stops, which waits for it.
fn deliver(share: &Arc<Share>, id: SubscriptionId, run: Run) {
    let let_go = share.server.stopping.child_token();
    share.in_hand().insert(id.clone(), let_go.clone());
    let owner = Arc::clone(share);
    share.server.work.spawn(async move {
        let held = Held { share: owner, id };
        if let Err(lost) = run.deliver(let_go).await {
            let SubscriptionId { extension, name } = &held.id;
            tracing::warn!(extension, name, reason = chain(&lost), "a subscription is not in hand any more");
        }
    });
}

/// A subscription that is in hand until this is dropped, whatever ends its run.
struct Held {
    share: Arc<Share>,
    id: SubscriptionId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.share.in_hand().remove(&self.id);
    }
}

impl Share {
    fn of(server: &Arc<Server>) -> Self {
        let subscriptions = server.registry.iter().filter(|loaded| loaded.is_available()).flat_map(|loaded| {
            loaded.subscriptions.iter().map(|(name, declared)| {
                let id = SubscriptionId { extension: loaded.metadata.name.to_owned(), name: name.clone() };
                (id, (Arc::clone(loaded), declared.clone()))
            })
        });
        Self { all: subscriptions.collect(), in_hand: Mutex::default(), server: Arc::clone(server) }
    }

    fn in_hand(&self) -> MutexGuard<'_, BTreeMap<SubscriptionId, CancellationToken>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
