//! What an extension is given besides the arguments of a call: its database, its settings, the clock, the model.

use super::{
    Connection, Db, DbTransaction, Described, Desk, Error, Heard, Leash, Prepared, Provider, Report, Result, Scope,
    event_types::published, on_runtime::on_runtime,
};
use crate::{
    model::{Cluster, Node, Object, Point, Release, Topic},
    principal,
    store::{self, NewNotification, NodeFilter, Page, Store},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    fmt::{self, Display},
    sync::Arc,
};
use uuid::Uuid;

/// The moment of a context that is made for one call.
macro_rules! at_one_moment {
    () => {
        /// The time of the change, the same for all that happens in it; in UTC, to the microsecond.
        #[must_use]
        pub fn now(&self) -> DateTime<Utc> {
            self.scope.now
        }
    };
}

/// The accessors that every context has.
macro_rules! accessors {
    () => {
        /// The settings of the extension `E`, which must be the one that is called.
        #[must_use]
        pub fn settings<E: Described>(&self) -> &E::Settings {
            self.scope.settings::<E>()
        }

        /// Hands a point to those who [hear of them](super::Extension::on_monitoring). That neither waits nor fails, and is
        /// not undone with a change that is refused.
        pub fn monitor(&self, point: Point) {
            self.scope.monitor.send(point);
        }

        /// Whether anybody hears of points: else what would be measured at some expense need not be.
        #[must_use]
        pub fn is_monitored(&self) -> bool {
            self.scope.monitor.is_heard()
        }
    };
}

/// The accessors of a context with a database.
macro_rules! accessors_with_database {
    () => {
        $crate::extension::context::accessors!();

        /// Nodes and clusters, as they are in the same transaction or snapshot.
        #[must_use]
        pub fn model(&self) -> Model<'_> {
            Model::new(self.db().core(), &self.scope.domain)
        }

        fn scope(&self) -> Scope {
            Scope { now: self.now(), ..self.scope.clone() }
        }

        /// What an extension that this one `requires` provides as `T`, which [`calls`](super::Extension::calls) declares.
        ///
        /// # Errors
        /// When it does not; a conflict, when that extension has failed.
        pub fn provider<T: ?Sized + 'static>(&self) -> Result<Provider<'_, T>> {
            self.scope().provider(self.db())
        }

        /// What is provided as `T` for a node: by the first, in the total order, of the extensions that the node itself
        /// enables, or else of those that its cluster does.
        ///
        /// # Errors
        /// A conflict, when none of them provides it, or the first that does has failed; what the database says.
        pub async fn provider_for_node<T: ?Sized + 'static>(&self, node: &Node) -> Result<Provider<'_, T>> {
            let cluster = match node.cluster {
                Some(cluster) => self.model().cluster(cluster).await?,
                None => None,
            };
            self.scope().provider_for(self.db(), node, cluster.as_ref())
        }
    };
}

pub(super) use {accessors, accessors_with_database};

/// The context of a call of one extension by another, in the transaction or the snapshot of the caller.
#[derive(Debug)]
pub struct CallContext {
    pub(crate) scope: Scope,
    pub(crate) db: Db,
}

impl CallContext {
    at_one_moment!();
    accessors_with_database!();

    /// The database, with the tables of the extension that is called. Where the caller only reads, so does this.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// The context of a hook.
#[derive(Debug)]
pub struct HookContext<'a> {
    pub(crate) scope: Scope,
    pub(crate) db: &'a Db,
}

impl HookContext<'_> {
    at_one_moment!();
    accessors_with_database!();

    /// The database, in the extension's savepoint of the change's transaction.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.db
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
            extension: Some(self.scope.own().metadata.name.to_owned()),
        };
        Ok(store::notifications::insert_with(self.db.core(), self.db.journal(), notification).await?)
    }

    /// Publishes an event of the extension, `type.action.key`, which stays only if the change does. The type is one that
    /// [`events`](super::Extension::events) declares; the object becomes a JSON object.
    ///
    /// # Errors
    /// When the type is not declared, or one of the parts cannot be that of an event.
    pub fn publish(&self, kind: &str, action: &str, key: impl Display, object: &impl Serialize) -> Result<()> {
        let published = published(&self.scope, kind, action, &key, object)?;
        self.db.journal().publish(principal::extension(self.scope.own().metadata.name), published);
        Ok(())
    }
}

/// The context of [`prepare`](super::Pipeline::prepare): the one place where a pipeline may wait.
#[derive(Debug)]
pub struct PrepareContext {
    pub(crate) scope: Scope,
    pub(crate) db: Db,
}

impl PrepareContext {
    at_one_moment!();
    accessors_with_database!();

    /// The database, to read from, as it was at one moment.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
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
    at_one_moment!();
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
#[derive(Clone)]
pub struct ExtensionContext {
    pub(crate) scope: Scope,
    pub(crate) store: Store,
    pub(crate) db: Arc<Db>,
    desk: Arc<dyn Desk>,
    /// What holds back its transactions, outside of requests.
    leash: Option<Arc<Leash>>,
}

impl ExtensionContext {
    accessors_with_database!();

    /// For a request.
    pub(crate) fn of_request(scope: Scope, store: Store, desk: Arc<dyn Desk>) -> Self {
        let db = Arc::new(Db::pool(store.reader(), &scope));
        Self { scope, store, db, desk, leash: None }
    }

    /// For what is done outside of requests. Its store is that for such work.
    pub(crate) fn in_background(scope: Scope, store: Store, desk: Arc<dyn Desk>, leash: &Arc<Leash>) -> Self {
        Self { leash: Some(Arc::clone(leash)), ..Self::of_request(scope, store, desk) }
    }

    /// The time of the request, the same for all that happens in it, or the present outside of requests; in UTC, to the
    /// microsecond.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self.leash {
            None => self.scope.now,
            // What is done outside of requests may go on for days.
            Some(_) => self.desk.now(),
        }
    }

    /// Applies a report about a task of an orchestrator of this extension, where reports come in by a URL. It is committed
    /// when this returns.
    ///
    /// # Errors
    /// When the database did not let it: nothing is applied then, and the same can be tried again.
    pub async fn report(&self, task: Uuid, report: Report) -> Result<Heard> {
        let (desk, own) = (Arc::clone(&self.desk), self.scope.own().metadata.name);
        on_runtime(async move { desk.report(own, task, report).await }).await
    }

    /// Adds lines to the log of a task of an orchestrator of this extension: each about a node, or about the whole.
    ///
    /// # Errors
    /// When there is no such task, or the database did not let it.
    pub async fn log(&self, task: Uuid, lines: Vec<(Option<i64>, String)>) -> Result<()> {
        let (desk, own) = (Arc::clone(&self.desk), self.scope.own().metadata.name);
        on_runtime(async move { desk.log(own, task, lines).await }).await
    }

    /// The database, to read from. What writes begins a transaction: [`ExtensionContext::transaction`].
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Begins a transaction, for statements that must succeed or fail together. Wait for nothing else while it is open, and for
    /// no other system: it holds a connection, and on SQLite all others who want to write wait for it. Outside of requests it
    /// is rolled back when nothing is done in it for a quarter of a second, or it is open for five: its next statement, or its
    /// commit, is refused with `RG0302`, and so are others for a while.
    ///
    /// # Errors
    /// When the database is busy or out of reach.
    pub async fn transaction(&self) -> Result<DbTransaction> {
        DbTransaction::begin(&self.store, self.leash.as_ref(), &self.scope(), &self.desk).await
    }

    /// Publishes an event of the extension, `type.action.key`, in a transaction of its own; what belongs to other changes
    /// is published by [`DbTransaction::publish`]. The type is one that [`events`](super::Extension::events) declares; the
    /// object becomes a JSON object.
    ///
    /// # Errors
    /// When the type is not declared, one of the parts cannot be that of an event, or the database did not let it.
    pub async fn publish(&self, kind: &str, action: &str, key: impl Display, object: &impl Serialize) -> Result<()> {
        let published = published(&self.scope, kind, action, &key, object)?;
        let (store, now, own) = (self.store.clone(), self.now(), self.scope.own().metadata.name);
        on_runtime(async move {
            let tx = store.write().await?.at(now);
            tx.journal.publish(principal::extension(own), published);
            Ok(tx.commit().await?)
        })
        .await
    }
}

impl fmt::Debug for ExtensionContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ExtensionContext").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// The core's data, to read.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    connection: &'a Connection,
    domain: &'a str,
}

impl<'a> Model<'a> {
    pub(super) fn new(connection: &'a Connection, domain: &'a str) -> Self {
        Self { connection, domain }
    }

    /// The node with this id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn node(&self, id: i64) -> Result<Option<Node>> {
        Ok(store::nodes::find(self.connection, self.domain, id).await?)
    }

    /// All nodes, in the order of their ids.
    ///
    /// # Errors
    /// What the database says.
    pub async fn nodes(&self) -> Result<Vec<Node>> {
        let all = store::nodes::list(self.connection, self.domain, NodeFilter::default(), &Page::default()).await?;
        Ok(all.items)
    }

    /// The nodes of a cluster, in the order of their ids.
    ///
    /// # Errors
    /// What the database says.
    pub async fn nodes_of(&self, cluster: i64) -> Result<Vec<Node>> {
        Ok(store::nodes::of_cluster(self.connection, self.domain, cluster).await?)
    }

    /// The cluster with this id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cluster(&self, id: i64) -> Result<Option<Cluster>> {
        Ok(store::clusters::find(self.connection, id).await?)
    }

    /// The release with this id, of which [`Cluster::release`] names one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn release(&self, id: i64) -> Result<Option<Release>> {
        Ok(store::releases::find(self.connection, id).await?)
    }

    /// The attributes of a cluster; empty when there is no such cluster.
    ///
    /// # Errors
    /// What the database says.
    pub async fn attributes(&self, cluster: i64) -> Result<Object> {
        Ok(store::clusters::attributes(self.connection, cluster).await?)
    }
}
