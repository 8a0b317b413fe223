//! What an extension is given besides the arguments of a call: its database, its settings, the clock, the model.

use super::{Db, DbTransaction, Described, Error, Metadata, Prepared, Result};
use crate::{
    model::{Cluster, Node, Object, Topic},
    store::{self, NewNotification, Store},
};
use chrono::{DateTime, Utc};
use std::{any::Any, fmt, sync::Arc};

/// What all contexts of one call share.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) metadata: &'static Metadata,
    pub(crate) settings: Arc<dyn Any + Send + Sync>,
    /// The domain of the installation, for the names of nodes.
    pub(crate) domain: Arc<str>,
    pub(crate) now: DateTime<Utc>,
}

impl Scope {
    fn settings<E: Described>(&self) -> &E::Settings {
        self.settings.downcast_ref().unwrap_or_else(|| {
            panic!("`{}` asked for the settings of `{}`: only its own are given", self.metadata.name, E::METADATA.name)
        })
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scope")
            .field("extension", &self.metadata.name)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The accessors that every context has.
macro_rules! accessors {
    () => {
        /// The time of the change, the same for all that happens in it; in UTC, to the microsecond.
        #[must_use]
        pub fn now(&self) -> DateTime<Utc> {
            self.scope.now
        }

        /// The settings of the extension `E`, which must be the one that is called.
        #[must_use]
        pub fn settings<E: Described>(&self) -> &E::Settings {
            self.scope.settings::<E>()
        }
    };
}

/// The context of a hook.
#[derive(Debug)]
pub struct HookContext<'a> {
    pub(crate) scope: Scope,
    pub(crate) db: &'a Db,
}

impl HookContext<'_> {
    accessors!();

    /// The database, in the extension's savepoint of the change's transaction.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.db
    }

    /// Nodes and clusters, as the change has made them.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        Model { db: self.db, domain: &self.scope.domain }
    }

    /// Leaves a notification for people, which stays only if the change does.
    ///
    /// # Errors
    /// What the database says.
    pub async fn notify(&self, topic: Topic, message: impl Into<String>, node: Option<&Node>) -> Result<()> {
        let notification = NewNotification {
            topic,
            message: message.into(),
            time: self.now(),
            cluster: node.and_then(|node| node.cluster),
            node: node.map(|node| node.id),
            task: None,
            extension: Some(self.scope.metadata.name.to_owned()),
        };
        Ok(store::notifications::insert(self.db, notification).await?)
    }
}

/// The context of [`prepare`](super::Pipeline::prepare): the one place where a pipeline may wait.
#[derive(Debug)]
pub struct PrepareContext {
    pub(crate) scope: Scope,
    pub(crate) db: Db,
}

impl PrepareContext {
    accessors!();

    /// The database, to read from, as it was at one moment; what is written is thrown away.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Nodes and clusters.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        Model { db: &self.db, domain: &self.scope.domain }
    }
}

/// The context of the stages of a pipeline.
#[derive(Debug)]
pub struct PipelineContext {
    pub(crate) scope: Scope,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) prepared: Prepared,
}

impl PipelineContext {
    accessors!();

    /// The cluster that the data are for.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What [`prepare`](super::Pipeline::prepare) returned.
    ///
    /// # Errors
    /// When it returned something of another type.
    pub fn prepared<T: 'static>(&self) -> Result<&T> {
        let missing = || Error::failed(format!("`prepare` did not return a {}", std::any::type_name::<T>()));
        self.prepared.get().ok_or_else(missing)
    }
}

/// The context of a URL handler, which takes it as an argument like any extractor of axum.
#[derive(Debug, Clone)]
pub struct ExtensionContext {
    pub(crate) scope: Scope,
    pub(crate) store: Store,
    pub(crate) db: Arc<Db>,
}

impl ExtensionContext {
    accessors!();

    pub(crate) fn new(scope: Scope, store: Store) -> Self {
        let db = Arc::new(Db::pool(store.reader()));
        Self { scope, store, db }
    }

    /// The database, to read from. What writes begins a transaction: [`ExtensionContext::transaction`].
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Begins a transaction, for statements that must succeed or fail together.
    ///
    /// # Errors
    /// When the database is busy or out of reach.
    pub async fn transaction(&self) -> Result<DbTransaction> {
        Ok(DbTransaction::new(self.store.write().await?))
    }

    /// Nodes and clusters.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        Model { db: &self.db, domain: &self.scope.domain }
    }
}

/// The core's data, to read.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    db: &'a Db,
    domain: &'a str,
}

impl Model<'_> {
    /// The node with this id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn node(&self, id: i64) -> Result<Option<Node>> {
        Ok(store::nodes::find(self.db, self.domain, id).await?)
    }

    /// The nodes of a cluster, in the order of their ids.
    ///
    /// # Errors
    /// What the database says.
    pub async fn nodes_of(&self, cluster: i64) -> Result<Vec<Node>> {
        Ok(store::nodes::of_cluster(self.db, self.domain, cluster).await?)
    }

    /// The cluster with this id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cluster(&self, id: i64) -> Result<Option<Cluster>> {
        Ok(store::clusters::find(self.db, id).await?)
    }

    /// The attributes of a cluster; empty when there is no such cluster.
    ///
    /// # Errors
    /// What the database says.
    pub async fn attributes(&self, cluster: i64) -> Result<Object> {
        Ok(store::clusters::attributes(self.db, cluster).await?)
    }
}
