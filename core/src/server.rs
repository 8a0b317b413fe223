//! The server: everything that requests, commands and background work share.

use crate::{
    deploy::{self, ByName},
    events::{EventRules, Streams},
    extension::{ExtensionContext, Leash, Peer, Scope},
    monitoring::{Metrics, Monitor},
    registry::{Loaded, Registry},
    settings::Settings,
    store::Store,
};
use chrono::{DateTime, SubsecRound, Utc};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// A server that is assembled: what it answers and does depends on nothing else.
pub(crate) struct Server {
    /// Tells the tasks of this server from those of others on the same database.
    pub(crate) id: Uuid,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    /// The same database for what extensions do outside of requests.
    pub(crate) background_store: Store,
    pub(crate) registry: Registry,
    /// The extensions as contexts need them, in the total order.
    pub(crate) peers: Arc<[Peer]>,
    pub(crate) orchestrators: ByName,
    /// Who may read and publish which events.
    pub(crate) event_rules: EventRules,
    /// The places for clients that follow the event log.
    pub(crate) streams: Arc<Streams>,
    /// The domain of the installation, for the names of nodes.
    pub(crate) domain: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) monitor: Monitor,
    /// All work in the background; the server waits for it when it stops.
    pub(crate) work: TaskTracker,
    /// Tells that all extensions are started, or have failed, and that requests are answered.
    pub(crate) started: CancellationToken,
    /// Tells the work to end.
    pub(crate) stopping: CancellationToken,
    /// Tells that a task or its log changed.
    pub(crate) changes: watch::Sender<()>,
    /// The tasks that are in hand just now, and what makes their hands let go.
    pub(crate) in_hand: Mutex<BTreeMap<Uuid, CancellationToken>>,
}

/// A task that nobody else in this server works on.
pub(crate) struct Hold {
    server: Arc<Server>,
    task: Uuid,
    abandoned: CancellationToken,
}

impl Server {
    /// Tells those who wait that a task or its log changed.
    pub(crate) fn nudge(&self) {
        self.changes.send_replace(());
    }

    /// Hears of changes from now on.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Takes a task into hand, unless it is in somebody's already.
    pub(crate) fn hold(self: &Arc<Self>, task: Uuid) -> Option<Hold> {
        let abandoned = self.stopping.child_token();
        match self.in_hand().entry(task) {
            Entry::Occupied(_) => None,
            Entry::Vacant(entry) => {
                entry.insert(abandoned.clone());
                Some(Hold { server: Arc::clone(self), task, abandoned })
            }
        }
    }

    /// Makes whoever has this task in hand let go of it.
    pub(crate) fn abandon(&self, task: Uuid) {
        if let Some(abandoned) = self.in_hand().get(&task) {
            abandoned.cancel();
        }
    }

    /// Makes whoever has this task in hand let go of it, and waits for that; whether it was in anybody's hand.
    pub(crate) async fn let_go(&self, task: Uuid) -> bool {
        let Some(abandoned) = self.in_hand().get(&task).cloned() else { return false };
        abandoned.cancel();
        let mut changed = self.changed();
        while self.in_hand().contains_key(&task) {
            // The sender is this server.
            drop(changed.changed().await);
        }
        true
    }

    fn in_hand(&self) -> MutexGuard<'_, BTreeMap<Uuid, CancellationToken>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds back the transactions of one piece of what extensions do outside of requests.
    pub(crate) fn leash(&self) -> Arc<Leash> {
        Leash::new(self.background_store.transactions())
    }

    /// The context of what an extension does outside of requests.
    pub(crate) fn background_context(self: &Arc<Self>, loaded: &Loaded, leash: &Arc<Leash>) -> ExtensionContext {
        let scope = self.scope(loaded, self.clock.now());
        ExtensionContext::in_background(scope, self.background_store.clone(), deploy::desk(self), leash)
    }

    /// What the contexts of a call to an extension share.
    pub(crate) fn scope(&self, loaded: &Loaded, now: DateTime<Utc>) -> Scope {
        Scope {
            peers: Arc::clone(&self.peers),
            place: loaded.place,
            domain: Arc::clone(&self.domain),
            now,
            monitor: self.monitor.clone(),
        }
    }
}

impl Hold {
    pub(crate) fn abandoned(&self) -> CancellationToken {
        self.abandoned.clone()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.server.in_hand().remove(&self.task);
        if self.abandoned.is_cancelled() {
            self.server.nudge();
        }
    }
}

/// Where the time comes from.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    pub(crate) fn system() -> Self {
        Self::of(Utc::now)
    }

    pub(crate) fn of(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present, to the microsecond: finer parts would not come back from PostgreSQL.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.0)().trunc_subsecs(6)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}
