//! The database as an extension reaches it.

use super::{
    Desk, Error, Model, Result, Scope,
    event_types::published,
    fence::{Access, Fence},
};
use crate::{
    model::{Cluster, Node},
    principal,
    store::{self, Journal, WriteTx},
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use sea_orm_migration::async_trait;
use serde::Serialize;
use std::{
    fmt::{self, Display},
    future::Future,
    ops::Deref,
    sync::Arc,
};

/// A handle on the tables of an extension: every query of sea-orm takes it (`Entity::find().all(db)`).
///
/// In a hook it is the savepoint of the extension; in a URL handler and in [`prepare`](super::Pipeline::prepare) it is
/// there to read from. A statement that names what is not the extension's (its tables begin with its name:
/// `additional_logger_entries`), that is not about rows, or that writes through a handle to read with, is refused with
/// `RG0301`, however it was made.
#[derive(Debug)]
pub struct Db {
    connection: Arc<Connection>,
    fence: Arc<Fence>,
    access: Access,
    /// What is told when a savepoint is kept.
    journal: Arc<Journal>,
}

/// What stands behind a [`Db`], without its fence: for the queries of the core.
#[derive(Debug)]
pub(crate) enum Connection {
    Pool(DatabaseConnection),
    Savepoint(DatabaseTransaction),
    Write(WriteTx),
}

impl Db {
    fn new(connection: Connection, scope: &Scope, access: Access) -> Self {
        let journal = Journal::new(principal::extension(scope.own().metadata.name), scope.now);
        Self {
            connection: Arc::new(connection),
            fence: Arc::clone(&scope.own().fence),
            access,
            journal: journal.into(),
        }
    }

    /// To read from, each time as it is then.
    pub(crate) fn pool(connection: &DatabaseConnection, scope: &Scope) -> Self {
        Self::new(Connection::Pool(connection.clone()), scope, Access::Read)
    }

    /// To read from, as it is at one moment.
    pub(crate) fn snapshot(snapshot: DatabaseTransaction, scope: &Scope) -> Self {
        Self::new(Connection::Savepoint(snapshot), scope, Access::Read)
    }

    /// To read from and write to, in a transaction of the core.
    pub(crate) fn savepoint(savepoint: DatabaseTransaction, scope: &Scope, journal: Arc<Journal>) -> Self {
        Self { journal, ..Self::new(Connection::Savepoint(savepoint), scope, Access::Write) }
    }

    /// The same connection for another extension.
    pub(super) fn of_peer(&self, fence: &Arc<Fence>) -> Self {
        let (connection, journal) = (Arc::clone(&self.connection), Arc::clone(&self.journal));
        Self { connection, fence: Arc::clone(fence), access: self.access, journal }
    }

    /// What is told when the transaction commits.
    pub(crate) fn journal(&self) -> &Journal {
        match &*self.connection {
            Connection::Write(transaction) => &transaction.journal,
            Connection::Pool(_) | Connection::Savepoint(_) => &self.journal,
        }
    }

    /// The connection as the core uses it.
    pub(crate) fn core(&self) -> &Connection {
        &self.connection
    }

    /// Does what may fail while the rest of the transaction goes on: when `work` fails, what it wrote is rolled back, and its
    /// error is the inner result. Without this, PostgreSQL refuses every statement after one that failed.
    ///
    /// ```
    /// # use rivetgun::prelude::*;
    /// # async fn measure(cx: &HookContext<'_>, node: &Node) -> Result<()> { Ok(()) }
    /// async fn measure_if_possible(cx: &HookContext<'_>, node: &Node) -> Result<()> {
    ///     match cx.db().attempt(measure(cx, node)).await? {
    ///         Ok(()) => Ok(()),
    ///         Err(error) => {
    ///             cx.notify(Topic::Warning, format!("{} is not measured: {}", node.name, error.public()), Some(node)).await
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// When the database can no longer be used at all.
    pub async fn attempt<T>(&self, work: impl Future<Output = Result<T>>) -> Result<Result<T>> {
        Ok(self.in_part(work).await?)
    }

    /// Runs `work` in a part of the transaction that is rolled back by itself when it fails, where this handle writes at all.
    pub(crate) async fn in_part<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<Result<T, E>, DbErr> {
        if self.access == Access::Read {
            return Ok(work.await);
        }
        self.connection.execute_unprepared("SAVEPOINT rivetgun_part").await?;
        let told = self.journal().length();
        let outcome = work.await;
        if outcome.is_err() {
            self.journal().shorten(told);
            self.connection.execute_unprepared("ROLLBACK TO SAVEPOINT rivetgun_part").await?;
        }
        self.connection.execute_unprepared("RELEASE SAVEPOINT rivetgun_part").await?;
        Ok(outcome)
    }

    /// Keeps what was written: releases a savepoint, commits a transaction.
    pub(crate) async fn keep(self) -> Result<(), DbErr> {
        match self.into_connection()? {
            Connection::Pool(_) => Ok(()),
            Connection::Savepoint(savepoint) => savepoint.commit().await,
            Connection::Write(transaction) => transaction.commit().await,
        }
    }

    /// Throws away what was written.
    pub(crate) async fn discard(self) -> Result<(), DbErr> {
        match self.into_connection()? {
            Connection::Pool(_) => Ok(()),
            Connection::Savepoint(savepoint) => savepoint.rollback().await,
            Connection::Write(transaction) => transaction.rollback().await,
        }
    }

    fn into_connection(self) -> Result<Connection, DbErr> {
        // Other handles on it are those of providers, which end before the call in which they were made does.
        Arc::into_inner(self.connection).ok_or_else(|| DbErr::Custom("a handle outlived its transaction".to_owned()))
    }

    fn check(&self, sql: &str) -> Result<(), DbErr> {
        self.fence.check(self.connection.get_database_backend(), sql, self.access)
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Db {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.check(&statement.sql)?;
        self.connection.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.check(sql)?;
        self.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.check(&statement.sql)?;
        self.connection.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.check(&statement.sql)?;
        self.connection.query_all_raw(statement).await
    }
}

/// Expands to the same call on whatever the connection is.
macro_rules! delegate {
    ($self:ident, $connection:ident => $call:expr) => {
        match $self {
            Connection::Pool($connection) => $call,
            Connection::Savepoint($connection) => $call,
            Connection::Write(transaction) => {
                let $connection: &DatabaseTransaction = transaction;
                $call
            }
        }
    };
}

#[async_trait::async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        delegate!(self, connection => connection.get_database_backend())
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        delegate!(self, connection => connection.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        delegate!(self, connection => connection.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        delegate!(self, connection => connection.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        delegate!(self, connection => connection.query_all_raw(statement).await)
    }
}

/// A transaction that a URL handler began; without [`DbTransaction::commit`] nothing of it stays.
pub struct DbTransaction {
    db: Db,
    scope: Scope,
    desk: Arc<dyn Desk>,
    /// Which clusters changed in what.
    noted: Vec<(i64, &'static str)>,
}

impl DbTransaction {
    pub(crate) fn new(transaction: WriteTx, scope: Scope, desk: Arc<dyn Desk>) -> Self {
        Self { db: Db::new(Connection::Write(transaction), &scope, Access::Write), scope, desk, noted: Vec::new() }
    }

    /// Nodes and clusters, as this transaction sees them.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        Model::new(self.db.core(), &self.scope.domain)
    }

    /// Publishes an event of the extension, `type.action.key`, which stays only if this is committed. The type is one that
    /// [`events`](super::Extension::events) declares; the object becomes a JSON object.
    ///
    /// # Errors
    /// When the type is not declared, or one of the parts cannot be that of an event.
    pub fn publish(&self, kind: &str, action: &str, key: impl Display, object: &impl Serialize) -> Result<()> {
        let published = published(&self.scope, kind, action, &key, object)?;
        if let Connection::Write(transaction) = self.db.core() {
            transaction.journal.publish(principal::extension(self.scope.own().metadata.name), published);
        }
        Ok(())
    }

    /// The cluster with this id, which nobody changes or deletes until this transaction ends. Whoever writes rows about a
    /// cluster begins with it, so that none is left behind when the cluster is deleted at the same time.
    ///
    /// ```
    /// # use rivetgun::prelude::*;
    /// async fn note(cx: ExtensionContext, Path(cluster_id): Path<i64>) -> Result<StatusCode> {
    ///     let tx = cx.transaction().await?;
    ///     let missing = || Error::not_found(format!("cluster {cluster_id} does not exist"));
    ///     let cluster = tx.lock_cluster(cluster_id).await?.ok_or_else(missing)?;
    ///     // … rows about it are written with `&*tx` …
    ///     # drop(cluster);
    ///     tx.commit().await?;
    ///     Ok(StatusCode::NO_CONTENT)
    /// }
    /// ```
    ///
    /// # Errors
    /// What the database says.
    pub async fn lock_cluster(&self, id: i64) -> Result<Option<Cluster>> {
        Ok(store::clusters::find_locked(self.db.core(), id).await?)
    }

    /// The node with this id, which nobody else changes or deletes until this transaction ends, nor its cluster: for who
    /// writes rows about it, like [`DbTransaction::lock_cluster`].
    ///
    /// # Errors
    /// A conflict, when the node joins a cluster at the same moment; what the database says.
    pub async fn lock_node(&self, id: i64) -> Result<Option<Node>> {
        let core = self.db.core();
        // Everybody locks the cluster before its nodes, so that nobody waits in a circle.
        let clusters = store::nodes::clusters_of(core, &[id]).await?;
        for cluster in &clusters {
            store::clusters::find_locked(core, *cluster).await?;
        }
        let node = store::nodes::find_locked(core, &self.scope.domain, id).await?;
        match node.as_ref().and_then(|node| node.cluster) {
            Some(cluster) if !clusters.contains(&cluster) => {
                Err(Error::conflict(format!("node {id} joined a cluster at the same moment; try again")))
            }
            _ => Ok(node),
        }
    }

    /// Refuses while a task of a cluster has not ended, from its request on: for who changes what such work reads. The caller
    /// holds the cluster, so that none begins in the meantime.
    ///
    /// # Errors
    /// A conflict that names the task; what the database says.
    pub async fn refuse_while_a_task_runs(&self, cluster: i64) -> Result<()> {
        match store::tasks::unfinished_in(self.db.core(), cluster).await?.first() {
            None => Ok(()),
            Some(task) => Err(Error::conflict(format!(
                "task {} ({}) is {} in cluster {cluster}; wait until it has ended",
                task.id, task.name, task.status
            ))),
        }
    }

    /// Notes that a cluster changed since its last deployment, and in what: a word like `disks`, which is then listed in its
    /// `changes`. It is written when this is committed, and all extensions are told of it like of any change of a cluster.
    pub fn note_change(&mut self, cluster: i64, what: &'static str) {
        self.noted.push((cluster, what));
    }

    /// Makes what was written stay.
    ///
    /// # Errors
    /// A conflict, when another extension refuses what [`DbTransaction::note_change`] noted; what the database says.
    pub async fn commit(self) -> Result<()> {
        if self.noted.is_empty() {
            return Ok(self.db.keep().await?);
        }
        match self.db.into_connection()? {
            Connection::Write(transaction) => self.desk.commit(transaction, self.scope.now, self.noted).await,
            Connection::Pool(_) | Connection::Savepoint(_) => Err(Error::failed("this is not a transaction")),
        }
    }
}

impl fmt::Debug for DbTransaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DbTransaction")
            .field("db", &self.db)
            .field("noted", &self.noted)
            .finish_non_exhaustive()
    }
}

impl Deref for DbTransaction {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}
