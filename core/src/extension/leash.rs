//! Transactions that are taken from who holds them for too long.
//!
//! What an extension does outside of requests shares the database with them: on SQLite the one writer, on PostgreSQL the rows
//! that it locks. So it may work on a transaction, and not wait while it holds one. One that nobody uses is rolled back, from
//! outside: whoever holds it may hang, or block its thread.

use super::{Error, on_runtime::on_runtime};
use crate::{
    codes::catalogue,
    store::{Store, WriteTx},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use sea_orm_migration::async_trait;
use std::{
    sync::{Arc, MutexGuard, PoisonError, Weak},
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
const IDLE: Duration = Duration::from_millis(250);

/// How long it may be open at all, but for a statement that runs.
const OPEN: Duration = Duration::from_secs(5);

/// After one was held for too long no other is begun for a while, for four times as long at first, and for 256 times as long
/// where that goes on: what it costs others is less than a hundredth of the time then, and of requests. It is forgiven by
/// half for each minute.
const FIRST_PENANCE: u32 = 2;
const LONGEST_PENANCE: u32 = 8;
const FORGIVEN_AFTER_S: u64 = 60;

/// What a subscription, a piece of background work, a sink or an orchestrator may have open.
#[derive(Debug)]
pub(crate) struct Leash {
    turns: Arc<Semaphore>,
    owed: std::sync::Mutex<Owed>,
}

/// What was held for too long of late.
#[derive(Debug)]
struct Owed {
    /// No other transaction is begun until then.
    until: Instant,
    /// The binary logarithm of how many times as long it is.
    penance: u32,
}

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
#[derive(Debug)]
pub(super) struct Turn {
    _turn: OwnedSemaphorePermit,
    leash: Arc<Leash>,
}

impl Leash {
    /// Lets so many transactions be open at the same time.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let owed = Owed { until: Instant::now(), penance: 0 }.into();
        Arc::new(Self { turns: Arc::new(Semaphore::new(most)), owed })
    }

    /// Begins a transaction, when there may be another.
    pub(super) async fn begin(self: &Arc<Self>, store: &Store, extension: &'static str) -> Result<Leashed, Error> {
        let (store, leash) = (store.clone(), Arc::clone(self));
        on_runtime(async move {
            let turn = Arc::clone(&leash.turns).acquire_owned().await?;
            let wait = leash.owed().until.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                let (code, ms) = (RG0302.code, wait.as_millis());
                let why = format!("{code}: a transaction was held for too long, and the next one begins in {ms} ms");
                return Err(Error::unavailable_for(wait, why));
            }
            let transaction = store.write().await?;
            if transaction.get_database_backend() == DbBackend::Postgres {
                let limit = format!("SET LOCAL statement_timeout = {}", OPEN.as_millis());
                transaction.execute_unprepared(&limit).await?;
            }
            let leashed = Leashed::of(transaction, Some(Turn { _turn: turn, leash }));
            tokio::spawn(watch(Arc::downgrade(&leashed.held), extension));
            Ok(leashed)
        })
        .await
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One was held for too long: for this long. How long no other is begun.
    fn has_held(&self, held: Duration) -> Duration {
        let (mut owed, now) = (self.owed(), Instant::now());
        // Of several at the same time one counts.
        if owed.until <= now {
            let forgiven = now.duration_since(owed.until).as_secs() / FORGIVEN_AFTER_S;
            let left = owed.penance.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
            owed.penance = Ord::min(left + FIRST_PENANCE, LONGEST_PENANCE);
        }
        let wait = held * 2_u32.pow(owed.penance);
        owed.until = Ord::max(owed.until, now + wait);
        wait
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
        let (Some(transaction), turn) = (held.transaction.take(), held.turn.take()) else { return };
        drop(held);
        let wait = turn.as_ref().map(|turn| turn.leash.has_held(begun.elapsed())).unwrap_or_default();
        let (code, next_in_ms) = (RG0302.code, wait.as_millis());
        tracing::warn!(code, extension, next_in_ms, "a transaction was held for too long and is rolled back");
        if let Err(error) = transaction.rollback().await {
            tracing::warn!(extension, %error, "a transaction could not be rolled back");
        }
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
