//! The database as an extension reaches it.

use super::{
    Result, Scope,
    fence::{Access, Fence},
    leash::{Leashed, Turn},
    on_runtime::on_runtime,
};
use crate::{
    principal,
    store::{Journal, WriteTx},
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use sea_orm_migration::async_trait;
use std::{future::Future, sync::Arc};

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
    /// What is told when a savepoint is kept, or a transaction commits.
    journal: Arc<Journal>,
}

/// What stands behind a [`Db`], without its fence: for the queries of the core.
#[derive(Debug)]
pub(crate) enum Connection {
    Pool(DatabaseConnection),
    Savepoint(DatabaseTransaction),
    Write(Leashed),
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

    /// To read from and write to, in a transaction that the extension began.
    pub(super) fn write(transaction: Leashed, scope: &Scope) -> Self {
        Self::new(Connection::Write(transaction), scope, Access::Write)
    }

    /// The same connection for another extension.
    pub(super) fn of_peer(&self, fence: &Arc<Fence>) -> Self {
        let (connection, journal) = (Arc::clone(&self.connection), Arc::clone(&self.journal));
        Self { connection, fence: Arc::clone(fence), access: self.access, journal }
    }

    /// What is told when what was written is kept.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
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

    /// Keeps what was written to a savepoint.
    pub(crate) async fn keep(self) -> Result<(), DbErr> {
        match self.into_connection()? {
            Connection::Savepoint(savepoint) => savepoint.commit().await,
            Connection::Pool(_) | Connection::Write(_) => Ok(()),
        }
    }

    /// Throws away what was written to a savepoint.
    pub(crate) async fn discard(self) -> Result<(), DbErr> {
        match self.into_connection()? {
            Connection::Savepoint(savepoint) => savepoint.rollback().await,
            Connection::Pool(_) | Connection::Write(_) => Ok(()),
        }
    }

    /// The transaction that the extension began, with all that it tells, and what it is held by until it has ended.
    pub(super) async fn into_transaction(self) -> Result<(WriteTx, Option<Turn>), DbErr> {
        let journal = Arc::clone(&self.journal);
        match self.into_connection()? {
            Connection::Write(transaction) => {
                let (transaction, turn) = transaction.take().await?;
                let transaction = transaction.at(journal.now());
                transaction.journal.take_in(&journal);
                Ok((transaction, turn))
            }
            Connection::Pool(_) | Connection::Savepoint(_) => Err(DbErr::Custom("this is no transaction".to_owned())),
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

/// Expands to the same call on whatever the connection is; on the runtime, unless it is part of a transaction of the core.
macro_rules! delegate {
    ($self:ident, $connection:ident => $call:expr) => {
        match $self {
            Connection::Pool(pool) => {
                let $connection = pool.clone();
                on_runtime(async move { $call }).await
            }
            Connection::Savepoint($connection) => $call,
            Connection::Write($connection) => $call,
        }
    };
}

#[async_trait::async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Pool(connection) => connection.get_database_backend(),
            Self::Savepoint(connection) => connection.get_database_backend(),
            Self::Write(connection) => connection.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        delegate!(self, connection => connection.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = sql.to_owned();
        delegate!(self, connection => connection.execute_unprepared(&sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        delegate!(self, connection => connection.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        delegate!(self, connection => connection.query_all_raw(statement).await)
    }
}
