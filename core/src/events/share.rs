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
    store::{self, Replica, SubscriptionId},
    supervise,
};
use sea_orm::DbErr;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// For how many seconds a replica counts that was not heard of.
const REPLICA_SECONDS: i64 = LEASE.as_secs().cast_signed();

/// The subscriptions of this server.
struct Share {
    server: Arc<Server>,
    all: BTreeMap<SubscriptionId, (Arc<Loaded>, Declared)>,
    /// Those that it has in hand, with what makes it let go.
    in_hand: Mutex<BTreeMap<SubscriptionId, CancellationToken>>,
}

/// Begins to share. A server without subscriptions has no part in it.
pub(super) fn start(server: &Arc<Server>) {
    let share = Arc::new(Share::of(server));
    if share.all.is_empty() {
        return;
    }
    leave_at_the_end(server);
    // What is in hand stays known, whatever becomes of the loop.
    supervise::spawn(server, "subscriptions", move |_| keep_sharing(Arc::clone(&share)));
}

async fn keep_sharing(share: Arc<Share>) -> Result<(), String> {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = balance(&share).await {
            tracing::warn!(%error, "who has which subscription could not be settled; it is tried again");
        }
    }
}

/// Says of a server that stops that it is gone.
fn leave_at_the_end(server: &Arc<Server>) {
    let owner = Arc::clone(server);
    server.work.spawn(async move {
        owner.stopping.cancelled().await;
        if let Err(error) = store::subscriptions::forget_replica(&owner.store, owner.id).await {
            tracing::debug!(%error, "that this server is gone could not be told");
        }
    });
}

/// Takes the subscriptions that are this server's, and lets go of those that are not any more.
async fn balance(share: &Arc<Share>) -> Result<(), DbErr> {
    let server = &share.server;
    let delivers = share.all.keys().cloned().collect();
    let replicas = store::subscriptions::beat(&server.store, server.id, &delivers, REPLICA_SECONDS).await?;
    let owners = assign(&replicas);
    let is_mine = |id: &SubscriptionId| owners.get(id) == Some(&server.id);
    for (_, let_go) in share.in_hand().iter().filter(|(id, _)| !is_mine(id)) {
        let_go.cancel();
    }
    for (id, (loaded, declared)) in share.all.iter().filter(|(id, _)| is_mine(id)) {
        let Ok(filter) = &declared.filter else { continue };
        if share.in_hand().contains_key(id) {
            continue;
        }
        let begun = Instant::now();
        if let Some(claim) = store::subscriptions::claim(&server.store, id, server.id, REPLICA_SECONDS).await? {
            let run = Run::new(Arc::clone(server), Arc::clone(loaded), filter.clone(), claim, begun);
            deliver(share, id.clone(), run);
        }
    }
    Ok(())
}

/// Who delivers what: each subscription is that of a replica that can deliver it, of those the one with the fewest before it.
/// All replicas come to the same.
fn assign(replicas: &[Replica]) -> BTreeMap<SubscriptionId, Uuid> {
    let all: BTreeSet<&SubscriptionId> = replicas.iter().flat_map(|(_, delivers)| delivers).collect();
    let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut owners = BTreeMap::new();
    for id in all {
        let able = replicas.iter().filter(|(_, delivers)| delivers.contains(id)).map(|(server, _)| *server);
        let chosen = able.min_by_key(|server| (counts.get(server).copied().unwrap_or_default(), *server));
        if let Some(server) = chosen {
            *counts.entry(server).or_default() += 1;
            owners.insert(id.clone(), server);
        }
    }
    owners
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

#[cfg(test)]
mod tests {
    use super::{BTreeMap, BTreeSet, SubscriptionId, Uuid, assign};

    fn subscription(name: &str) -> SubscriptionId {
        SubscriptionId { extension: "x".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn subscriptions_are_spread_over_those_who_can_deliver_them() {
        let delivers = |names: &[&str]| names.iter().map(|name| subscription(name)).collect::<BTreeSet<_>>();
        let replica = |number: u128, names: &[&str]| (Uuid::from_u128(number), delivers(names));
        for (replicas, expected) in [
            (vec![replica(1, &["a", "b", "c"])], [("a", 1), ("b", 1), ("c", 1)]),
            (vec![replica(1, &["a", "b", "c"]), replica(2, &["a", "b", "c"])], [("a", 1), ("b", 2), ("c", 1)]),
            (vec![replica(1, &["a", "b", "c"]), replica(2, &["a", "b"])], [("a", 1), ("b", 2), ("c", 1)]),
            (vec![replica(1, &["a"]), replica(2, &["b", "c"]), replica(3, &[])], [("a", 1), ("b", 2), ("c", 2)]),
        ] {
            let expected: BTreeMap<_, _> =
                expected.into_iter().map(|(name, server)| (subscription(name), Uuid::from_u128(server))).collect();
            assert_eq!(assign(&replicas), expected);
        }
    }
}
