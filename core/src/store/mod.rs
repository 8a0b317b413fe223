//! The database: how it is opened, how it is written to, and one file of queries for each thing that is kept.
//!
//! There is one way to begin a write, [`Store::write`]. On SQLite it is `BEGIN IMMEDIATE` behind a queue in the process:
//! a transaction that begins as a reader and then writes fails as soon as two of them meet, however long they may wait.

mod bell;
mod budget;
mod buffer;
pub(crate) mod clusters;
pub(crate) mod dead_letters;
#[expect(
    clippy::disallowed_methods,
    reason = "what `#[sea_orm::model]` generates can begin transactions; nobody calls it"
)]
mod entity;
pub(crate) mod events;
mod fault;
mod fence;
pub(crate) mod groups;
mod journal;
mod locks;
pub(crate) mod logs;
mod migrate;
#[cfg(all(test, feature = "testkit"))]
mod migration_tests;
pub(crate) mod nodes;
pub(crate) mod notifications;
mod owner;
mod page;
pub(crate) mod releases;
pub(crate) mod sent;
pub(crate) mod subscriptions;
pub(crate) mod tasks;

pub(crate) use bell::Bell;
pub(crate) use buffer::buffered;
pub use buffer::take_buffered;
pub(crate) use clusters::{ClusterFilter, NewCluster};
pub(crate) use dead_letters::{DeadLetter, DeadLetters};
pub(crate) use fault::{DatabaseFault, fault_of, is_busy, is_statement_timeout};
pub(crate) use groups::GroupFilter;
pub(crate) use journal::Journal;
pub(crate) use logs::LogLine;
pub(crate) use migrate::{
    CORE, Direction, Ledger, MigrationError, MigrationState, Migrator, Mode, Purged, Work, record, tables,
};
pub(crate) use nodes::{NewNode, NodeFilter};
pub(crate) use notifications::NewNotification;
pub(crate) use owner::{Owner, Owners, claims_of};
pub(crate) use page::{Listed, Page};
pub(crate) use subscriptions::{Claim, Delivery, DeliveryState, Kept, Replica, SubscriptionId};
pub(crate) use tasks::{NewTask, TaskFilter};

use crate::principal;
use backon::{ConstantBuilder, Retryable};
use chrono::{DateTime, Utc};
use fence::Gate;
use rivetgun_migrations::BUFFER_TABLE as BUFFER;
use sea_orm::sqlx::{Connection, sqlite::SqliteConnectOptions};
use sea_orm::{
    AccessMode, ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use sea_orm_migration::async_trait;
use std::{ops::Deref, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many ids and how many rows go in one statement. PostgreSQL takes 65,535 values, SQLite 32,766.
const IDS_A_STATEMENT: usize = 10_000;
const ROWS_A_STATEMENT: usize = 1_000;

/// How long a write waits for the writers before it.
const WRITER_WAIT: Duration = Duration::from_secs(10);
/// How many connections there are for requests, and for what extensions do outside of them.
const CONNECTIONS: u32 = 8;
/// How many transactions one piece of the latter may have open, where there may be several writers.
const TRANSACTIONS: usize = 2;
/// How long a query waits for a connection of the pool.
const ACQUIRE_WAIT: Duration = Duration::from_secs(8);

/// An open database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    connection: DatabaseConnection,
    url: Url,
    /// SQLite: whether anything may be committed just now.
    gate: Gate,
    /// Whether this is a connection of [`Store::aside`], on PostgreSQL read-only but for the transactions begun here.
    is_aside: bool,
    /// SQLite has one writer at a time; writers of this process queue here, in order, instead of retrying blindly.
    writer: Option<Arc<Semaphore>>,
    /// Tells that events were written.
    pub(crate) bell: Bell,
}

/// Where a database is.
#[derive(Clone)]
struct Url(Arc<str>);

impl std::fmt::Debug for Url {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a URL, which may hold a password")
    }
}

impl Url {
    /// Each connection to an in-memory database has a database of its own, so that there must be one, for ever.
    fn is_in_memory(&self) -> bool {
        self.0.starts_with("sqlite") && (self.0.contains(":memory:") || self.0.contains("mode=memory"))
    }
}

/// A transaction that may write.
#[derive(Debug)]
pub(crate) struct WriteTx {
    transaction: DatabaseTransaction,
    /// What it tells when it commits.
    pub(crate) journal: Journal,
    bell: Bell,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Store {
    /// Opens the database behind a `sqlite:` or `postgres:` URL.
    ///
    /// # Errors
    /// What the driver says when the file or the server cannot be reached.
    pub(crate) async fn open(url: &str) -> Result<Self, DbErr> {
        if url.starts_with("postgres") {
            say_why_not(url).await?;
        }
        let gate = Gate::default();
        let url = Url(url.into());
        // Of several servers that make a file at once one switches its journal, and SQLite lets the others not wait for that.
        let patience = ConstantBuilder::default().with_delay(Duration::from_millis(50)).with_max_times(100);
        let connection = (|| connect(&url, CONNECTIONS, false, &gate)).retry(patience).when(is_busy).await?;
        let writer = (connection.get_database_backend() == DbBackend::Sqlite).then(|| Arc::new(Semaphore::new(1)));
        Ok(Self { connection, url, gate, is_aside: false, writer, bell: Bell::default() })
    }

    /// The same database through a connection of its own, for code that may leave its session in any state: only a
    /// transaction that [`Store::write`] began can write, and [`Store::close`] ends all of it.
    async fn aside(&self) -> Result<Self, DbErr> {
        if self.url.is_in_memory() {
            return Ok(self.clone());
        }
        let gate = Gate::default();
        let connection = connect(&self.url, 1, false, &gate).await?;
        if connection.get_database_backend() == DbBackend::Postgres {
            connection.execute_unprepared("SET default_transaction_read_only = on").await?;
        }
        Ok(Self {
            connection,
            url: self.url.clone(),
            gate,
            is_aside: true,
            writer: self.writer.clone(),
            bell: self.bell.clone(),
        })
    }

    /// The same database through connections of its own, which are made when they are needed: whoever takes all of them
    /// takes none of this store's. There is still one writer on SQLite.
    pub(crate) async fn beside(&self) -> Result<Self, DbErr> {
        if self.url.is_in_memory() {
            return Ok(self.clone());
        }
        Ok(Self { connection: connect(&self.url, CONNECTIONS, true, &self.gate).await?, ..self.clone() })
    }

    /// How many transactions one piece of what extensions do outside of requests may have open.
    pub(crate) fn transactions(&self) -> usize {
        if self.writer.is_some() { 1 } else { TRANSACTIONS }
    }

    /// Ends what [`Store::aside`] began.
    async fn close_aside(self) -> Result<(), DbErr> {
        if self.is_aside { self.close().await } else { Ok(()) }
    }

    /// For single reads that need not agree with each other.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Begins a transaction whose reads all see the same moment.
    #[expect(clippy::disallowed_methods, reason = "one of the two places where transactions begin")]
    pub(crate) async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        let postgres = self.connection.get_database_backend() == DbBackend::Postgres;
        self.connection
            .begin_with_options(TransactionOptions {
                isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
                access_mode: postgres.then_some(AccessMode::ReadOnly),
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
            })
            .await
    }

    /// Begins a transaction that may write.
    #[expect(clippy::disallowed_methods, reason = "one of the two places where transactions begin")]
    pub(crate) async fn write(&self) -> Result<WriteTx, DbErr> {
        let turn = match &self.writer {
            None => None,
            Some(writer) => {
                let turn = tokio::time::timeout(WRITER_WAIT, Arc::clone(writer).acquire_owned()).await;
                Some(turn.ok().and_then(Result::ok).ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?)
            }
        };
        let read_only = self.is_aside && self.connection.get_database_backend() == DbBackend::Postgres;
        let transaction = self
            .connection
            .begin_with_options(TransactionOptions {
                isolation_level: None,
                access_mode: read_only.then_some(AccessMode::ReadWrite),
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            })
            .await?;
        let journal = Journal::new(principal::current(), Utc::now());
        Ok(WriteTx { transaction, journal, bell: self.bell.clone(), _turn: turn })
    }

    /// Closes every connection, which writes SQLite's journal back.
    pub(crate) async fn close(self) -> Result<(), DbErr> {
        self.connection.close().await
    }

    /// The URL that it was opened with.
    pub(crate) fn url(&self) -> &str {
        &self.url.0
    }

    /// The language of the database.
    pub(crate) fn dialect(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// The kind of the database: `sqlite` or `postgres`.
    pub(crate) fn backend(&self) -> &'static str {
        match self.connection.get_database_backend() {
            DbBackend::Postgres => "postgres",
            _ => "sqlite",
        }
    }
}

impl WriteTx {
    /// The same transaction, whose events happen at this moment.
    pub(crate) fn at(self, now: DateTime<Utc>) -> Self {
        Self { journal: self.journal.at(now), ..self }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        self.transaction.rollback().await
    }
}

impl Deref for WriteTx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for WriteTx {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.transaction.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.transaction.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.transaction.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.transaction.query_all_raw(statement).await
    }
}

/// Whether a URL names a SQLite file that is not there.
pub(crate) fn is_missing_file(url: &str) -> bool {
    if !url.starts_with("sqlite") || Url(url.into()).is_in_memory() {
        return false;
    }
    let options: Result<SqliteConnectOptions, _> = url.parse();
    options.is_ok_and(|options| !options.get_filename().exists())
}

async fn connect(url: &Url, connections: u32, is_lazy: bool, gate: &Gate) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url.0.to_string());
    options
        .sqlx_logging_level(tracing::log::LevelFilter::Trace)
        .sqlx_slow_statements_logging_settings(tracing::log::LevelFilter::Warn, Duration::from_secs(1))
        .acquire_timeout(ACQUIRE_WAIT)
        .connect_timeout(ACQUIRE_WAIT)
        .connect_lazy(is_lazy)
        .test_before_acquire_if_idle_for(Duration::from_secs(1));
    let in_memory = url.is_in_memory();
    let connections = if in_memory { 1 } else { connections };
    options.max_connections(connections).min_connections(u32::from(in_memory));
    if url.0.starts_with("sqlite") {
        // Nothing between here and a file grows stale, and an in-memory database ends with its connection.
        options.max_lifetime(None).idle_timeout(None);
    }
    let gate = gate.clone();
    options.map_sqlx_sqlite_pool_opts(move |pool| {
        let gate = gate.clone();
        let pool = pool.after_connect(move |connection, _| {
            let gate = gate.clone();
            Box::pin(async move {
                connection.lock_handle().await?.set_commit_hook(move || gate.may_commit());
                Ok(())
            })
        });
        pool.after_release(|connection, _| {
            Box::pin(async {
                // After some errors (disk full, I/O) SQLite rolls back by itself, and sqlx goes on believing in a
                // transaction: what is begun on such a connection later is a savepoint of nothing, and is lost.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
    });
    options.map_sqlx_sqlite_opts(move |options| {
        options
            .create_if_missing(true)
            .journal_mode(sea_orm::sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("journal_size_limit", "67108864")
            .optimize_on_close(connections > 1, None)
    });
    Database::connect(options).await
}

/// A pool tells of a server that is not there as of one that is slow. One connection beside it tells the cause, at once.
async fn say_why_not(url: &str) -> Result<(), DbErr> {
    use sea_orm::{RuntimeErr, sqlx::PgConnection};
    let failed = |error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)));
    match tokio::time::timeout(ACQUIRE_WAIT, PgConnection::connect(url)).await {
        Ok(connected) => connected.map_err(failed)?.close().await.map_err(failed),
        Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

/// A name as it stands in SQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The words of an enum, and the lists and objects inside of a column, were written by this server.
fn stored<T>(result: Result<T, impl std::fmt::Display>) -> Result<T, DbErr> {
    result.map_err(|error| DbErr::Type(format!("the database holds what this server did not write: {error}")))
}

fn object(json: serde_json::Value) -> crate::model::Object {
    match json {
        serde_json::Value::Object(object) => object,
        _ => crate::model::Object::new(),
    }
}

fn texts(json: &serde_json::Value) -> Vec<String> {
    let items = json.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Whether a JSON list in a column holds a text.
fn json_list_contains(
    backend: DbBackend,
    column: impl sea_orm::ColumnTrait,
    text: &str,
) -> sea_orm::sea_query::SimpleExpr {
    use sea_orm::sea_query::Expr;
    let column = Expr::col(column);
    match backend {
        DbBackend::Postgres => {
            Expr::cust_with_exprs("$1 @> $2::jsonb", [column, Expr::value(serde_json::json!([text]))])
        }
        _ => Expr::cust_with_exprs(
            "EXISTS (SELECT 1 FROM json_each(?) WHERE value = ?)",
            [column, text.to_owned().into()],
        ),
    }
}
