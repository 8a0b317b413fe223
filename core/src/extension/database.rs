//! The database as an extension reaches it.

use super::{
    Model, Scope,
    fence::{Access, Fence},
};
use crate::store::WriteTx;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use sea_orm_migration::async_trait;
use std::{ops::Deref, sync::Arc};

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
        Self { connection: Arc::new(connection), fence: Arc::clone(&scope.own().fence), access }
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
    pub(crate) fn savepoint(savepoint: DatabaseTransaction, scope: &Scope) -> Self {
        Self::new(Connection::Savepoint(savepoint), scope, Access::Write)
    }

    /// The same connection for another extension.
    pub(super) fn of_peer(&self, fence: &Arc<Fence>) -> Self {
        Self { connection: Arc::clone(&self.connection), fence: Arc::clone(fence), access: self.access }
    }

    /// The connection as the core uses it.
    pub(crate) fn core(&self) -> &Connection {
        &self.connection
    }

    /// Begins a part of the transaction that can be rolled back by itself, where this handle writes at all.
    pub(crate) async fn begin_part(&self) -> Result<(), DbErr> {
        match self.access {
            Access::Read => Ok(()),
            Access::Write => self.connection.execute_unprepared("SAVEPOINT rivetgun_part").await.map(drop),
        }
    }

    /// Ends the part that was begun last.
    pub(crate) async fn end_part(&self, keep: bool) -> Result<(), DbErr> {
        if self.access == Access::Read {
            return Ok(());
        }
        if !keep {
            self.connection.execute_unprepared("ROLLBACK TO SAVEPOINT rivetgun_part").await?;
        }
        self.connection.execute_unprepared("RELEASE SAVEPOINT rivetgun_part").await.map(drop)
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
#[derive(Debug)]
pub struct DbTransaction {
    db: Db,
    scope: Scope,
}

impl DbTransaction {
    pub(crate) fn new(transaction: WriteTx, scope: Scope) -> Self {
        Self { db: Db::new(Connection::Write(transaction), &scope, Access::Write), scope }
    }

    /// Nodes and clusters, as this transaction sees them.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        Model::new(self.db.core(), &self.scope.domain)
    }

    /// Makes what was written stay.
    ///
    /// # Errors
    /// What the database says.
    pub async fn commit(self) -> super::Result<()> {
        Ok(self.db.keep().await?)
    }
}

impl Deref for DbTransaction {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}
