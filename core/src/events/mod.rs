//! After the commit: events are delivered to the extensions that subscribed to them, read by clients, and forgotten when
//! they are old.
//!
//! The log itself is in [`crate::store`]. Here is who reads it: [`share`] decides which replica has which subscription in
//! hand, [`delivery`] delivers the events of one, in the order that [`lanes`] keep, [`bell`] wakes all of them, and
//! [`retention`] forgets. Clients read through a [`Follower`], what the [`rules`] let them.

mod bell;
mod dead_letters;
mod delivery;
mod follow;
mod lanes;
mod publish;
mod retention;
mod rules;
mod settings;
mod share;
mod streams;

pub(crate) use dead_letters::{drop_dead_letters, replay};
pub(crate) use follow::{Follower, Gap, NoFollower, Told};
pub(crate) use publish::publish;
pub(crate) use rules::{EventRules, EventType};
pub(crate) use settings::EventSettings;
pub(crate) use streams::{Full, Place, Streams};

use crate::{
    error::Outcome,
    extension::Begin,
    server::Server,
    store::{self, SubscriptionId},
    supervise,
};
use std::{sync::Arc, time::Duration};

/// For how long a replica has a subscription in hand unless it says so again.
const LEASE: Duration = Duration::from_secs(15);
/// How often it does, and how often it is looked for what nobody rang for.
const TICK: Duration = Duration::from_secs(3);

/// Begins to deliver events. A subscription that is new begins here.
pub(crate) async fn start(server: &Arc<Server>) -> Outcome<()> {
    let reader = server.store.reader();
    let end = store::events::end(reader).await?;
    let beginning = store::events::first(reader).await?.map_or(end, |first| first - 1);
    let declared = server.registry.iter().flat_map(|loaded| {
        loaded.subscriptions.iter().map(|(name, subscription)| {
            let id = SubscriptionId { extension: loaded.metadata.name.to_owned(), name: name.clone() };
            (id, if subscription.begin == Begin::Now { end } else { beginning })
        })
    });
    let declared: Vec<(SubscriptionId, i64)> = declared.collect();
    let tx = server.store.write().await?;
    store::subscriptions::ensure(&tx, declared).await?;
    tx.commit().await?;
    // Only now, when all that are here are known to be alive.
    supervise::spawn(server, "retention of events", retention::keep_forgetting);
    bell::start(server);
    share::start(server);
    Ok(())
}
