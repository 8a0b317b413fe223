//! The server: everything that requests, commands and background work share.

use crate::{
    deploy::Orchestrator,
    extension::{Peer, Scope},
    registry::{Loaded, Registry},
    settings::Settings,
    store::Store,
};
use chrono::{DateTime, SubsecRound, Utc};
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// A server that is assembled: what it answers and does depends on nothing else.
pub(crate) struct Server {
    /// Tells the tasks of this server from those of others on the same database.
    pub(crate) id: Uuid,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    /// The extensions as contexts need them, in the total order.
    pub(crate) peers: Arc<[Peer]>,
    pub(crate) orchestrators: BTreeMap<String, Arc<dyn Orchestrator>>,
    /// The domain of the installation, for the names of nodes.
    pub(crate) domain: Arc<str>,
    pub(crate) clock: Clock,
    /// All work in the background; the server waits for it when it stops.
    pub(crate) work: TaskTracker,
    /// Tells the work to end.
    pub(crate) stopping: CancellationToken,
}

impl Server {
    /// What the contexts of a call to an extension share.
    pub(crate) fn scope(&self, loaded: &Loaded, now: DateTime<Utc>) -> Scope {
        Scope { peers: Arc::clone(&self.peers), place: loaded.place, domain: Arc::clone(&self.domain), now }
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
