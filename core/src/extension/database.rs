//! The database as an extension reaches it.

use crate::store::WriteTx;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use sea_orm_migration::async_trait;
use std::ops::Deref;

/// A handle on the database: every query of sea-orm takes it (`Entity::find().all(db)`).
///
/// In a hook it is the savepoint of the extension; in a URL handler and in [`prepare`](super::Pipeline::prepare) a pool
/// of connections. Tables of an extension begin with its name: `additional_logger_entries`.
#[derive(Debug)]
pub struct Db(Inner);

#[derive(Debug)]
enum Inner {
    Pool(DatabaseConnection),
    Savepoint(DatabaseTransaction),
    Write(WriteTx),
}

impl Db {
    pub(crate) fn pool(connection: &DatabaseConnection) -> Self {
        Self(Inner::Pool(connection.clone()))
    }

    pub(crate) fn savepoint(savepoint: DatabaseTransaction) -> Self {
        Self(Inner::Savepoint(savepoint))
    }

    /// Keeps what was written: releases a savepoint, commits a transaction.
    pub(crate) async fn keep(self) -> Result<(), DbErr> {
        match self.0 {
            Inner::Pool(_) => Ok(()),
            Inner::Savepoint(savepoint) => savepoint.commit().await,
            Inner::Write(transaction) => transaction.commit().await,
        }
    }

    /// Throws away what was written.
    pub(crate) async fn discard(self) -> Result<(), DbErr> {
        match self.0 {
            Inner::Pool(_) => Ok(()),
            Inner::Savepoint(savepoint) => savepoint.rollback().await,
            Inner::Write(transaction) => transaction.rollback().await,
        }
    }
}

/// Expands to the same call on whatever the handle stands for.
macro_rules! delegate {
    ($self:ident, $connection:ident => $call:expr) => {
        match &$self.0 {
            Inner::Pool($connection) => $call,
            Inner::Savepoint($connection) => $call,
            Inner::Write(transaction) => {
                let $connection: &DatabaseTransaction = transaction;
                $call
            }
        }
    };
}

#[async_trait::async_trait]
impl ConnectionTrait for Db {
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
pub struct DbTransaction(Db);

impl DbTransaction {
    pub(crate) fn new(transaction: WriteTx) -> Self {
        Self(Db(Inner::Write(transaction)))
    }

    /// Makes what was written stay.
    ///
    /// # Errors
    /// What the database says.
    pub async fn commit(self) -> super::Result<()> {
        Ok(self.0.keep().await?)
    }
}

impl Deref for DbTransaction {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.0
    }
}
