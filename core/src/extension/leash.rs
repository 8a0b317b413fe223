//! Transactions that are taken from who holds them for too long.
//!
//! What an extension does outside of requests shares the database with them: on SQLite the one writer, on PostgreSQL the rows
//! that it locks. So it may work on a transaction, and not wait while it holds one. One that nobody uses is rolled back, from
//! outside: whoever holds it may hang, or block its thread.

use super::on_runtime::on_runtime;
use crate::{
    codes::catalogue,
    store::{Store, WriteTx},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use sea_orm_migration::async_trait;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

catalogue! {
    RG0302 = "a transaction was held for too long";
}

/// How long nothing may be done in a transaction.
const IDLE: Duration = Duration::from_millis(500);

/// How long it may be open at all, but for a statement that runs.
const OPEN: Duration = Duration::from_secs(5);

/// How long no other is begun after one was held for too long: what that costs others is a small part of the time.
const PENANCE: Duration = Duration::from_secs(5);

/// What a subscription, a piece of background work, a sink or an orchestrator may have open.
#[derive(Debug)]
pub(crate) struct Leash(Arc<Semaphore>);

/// A transaction of an extension. It holds it only as long as it may.
#[derive(Debug)]
pub(crate) struct Leashed {
    backend: DbBackend,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug)]
struct Held {
    /// Nothing once it was taken.
    transaction: Option<WriteTx>,
    turn: Option<Turn>,
    used: Instant,
}

/// One of the transactions that may be open at a time.
pub(super) type Turn = OwnedSemaphorePermit;

impl Leash {
    /// Lets so many transactions be open at the same time.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self(Arc::new(Semaphore::new(most))))
    }

    /// Begins a transaction, when there may be another.
    pub(super) async fn begin(&self, store: &Store, extension: &'static str) -> Result<Leashed, DbErr> {
        let turn = Arc::clone(&self.0).acquire_owned().await.ok();
        let store = store.clone();
        on_runtime(async move {
            let transaction = store.write().await?;
            if transaction.get_database_backend() == DbBackend::Postgres {
                let limit = format!("SET LOCAL statement_timeout = {}", OPEN.as_millis());
                transaction.execute_unprepared(&limit).await?;
            }
            let leashed = Leashed::of(transaction, turn);
            tokio::spawn(watch(Arc::downgrade(&leashed.held), extension));
            Ok(leashed)
        })
        .await
    }
}

/// Rolls a transaction back when it is held for too long.
async fn watch(held: Weak<Mutex<Held>>, extension: &'static str) {
    let begun = Instant::now();
    let mut due = begun + IDLE;
    loop {
        tokio::time::sleep_until(due).await;
        let Some(held) = held.upgrade() else { return };
        // Not while a statement runs.
        let mut held = held.lock().await;
        due = Ord::min(held.used + IDLE, begun + OPEN);
        if due > Instant::now() {
            continue;
        }
        let (Some(transaction), _turn) = (held.transaction.take(), held.turn.take()) else { return };
        drop(held);
        tracing::warn!(code = RG0302.code, extension, "a transaction was held for too long and is rolled back");
        if let Err(error) = transaction.rollback().await {
            tracing::warn!(extension, %error, "a transaction could not be rolled back");
        }
        tokio::time::sleep(PENANCE).await;
        return;
    }
}

impl Leashed {
    /// A transaction that may be held for as long as its owner likes.
    pub(super) fn free(transaction: WriteTx) -> Self {
        Self::of(transaction, None)
    }

    fn of(transaction: WriteTx, turn: Option<Turn>) -> Self {
        let backend = transaction.get_database_backend();
        let held = Held { transaction: Some(transaction), turn, used: Instant::now() };
        Self { backend, held: Arc::new(Mutex::new(held)) }
    }

    /// The transaction, to end it before another may begin.
    pub(super) async fn take(self) -> Result<(WriteTx, Option<Turn>), DbErr> {
        let mut held = self.held.lock().await;
        let transaction = held.transaction.take().ok_or_else(gone)?;
        Ok((transaction, held.turn.take()))
    }
}

fn gone() -> DbErr {
    let (code, idle, open) = (RG0302.code, IDLE.as_millis(), OPEN.as_secs());
    DbErr::Custom(format!(
        "{code}: the transaction was rolled back: nothing was done in it for {idle} ms, or it was open for {open} s"
    ))
}

/// Expands to the same call on the transaction, while it is held.
macro_rules! delegate {
    ($self:ident, $transaction:ident => $call:expr) => {{
        let held = Arc::clone(&$self.held);
        on_runtime(async move {
            let mut held = held.lock().await;
            let $transaction = held.transaction.as_ref().ok_or_else(gone)?;
            let done = $call;
            held.used = Instant::now();
            done
        })
        .await
    }};
}

#[async_trait::async_trait]
impl ConnectionTrait for Leashed {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        delegate!(self, transaction => transaction.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = sql.to_owned();
        delegate!(self, transaction => transaction.execute_unprepared(&sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        delegate!(self, transaction => transaction.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        delegate!(self, transaction => transaction.query_all_raw(statement).await)
    }
}
