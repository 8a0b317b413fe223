//! The SQL of a migration, had without running it: on a connection that writes down what it is told, and answers nothing.
//!
//! What is written down depends on the code alone: tables, columns and indexes that a migration asks for are not there, and
//! no row ever is. From it comes the checksum by which a migration that changes after it was applied is found.

use futures_util::FutureExt;
use sea_orm::{
    DatabaseConnection, DatabaseConnectionType, DbBackend, DbErr, ExecResult, MockDatabase, MockDatabaseConnection,
    MockDatabaseTrait, MockExecResult, QueryResult, Statement, Transaction, Value,
};
use sea_orm_migration::{MigrationTrait, SchemaManager};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt::Write,
    mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

/// Checksums with another mark are not compared. It changes when the same migration comes out as other SQL: with a version
/// of sea-orm that words it differently. A test knows the checksum of a migration that never changes.
const MARK: &str = "1";

/// What a migration does, up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// What a migration was seen to do.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recording {
    statements: Vec<Statement>,
    /// Whether it asked for rows, so that a database that holds some may make it do something else.
    pub(crate) reads: bool,
}

/// A connection to nothing.
#[derive(Debug)]
struct Recorder {
    backend: DbBackend,
    recording: Arc<Mutex<Recording>>,
}

impl MockDatabaseTrait for Recorder {
    fn execute(&mut self, _: usize, statement: Statement) -> Result<ExecResult, DbErr> {
        self.note(|recording| recording.statements.push(statement.clone()));
        let done = MockExecResult { last_insert_id: 1, rows_affected: 1 };
        MockDatabase::new(self.backend).append_exec_results([done]).execute(0, statement)
    }

    fn query(&mut self, _: usize, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        // The questions of `SchemaManager`: is there a table, a column, an index?
        let mut questions = ["has_table", "has_column", "has_index"].into_iter();
        if let Some(question) = questions.find(|question| statement.sql.contains(&format!("AS \"{question}\""))) {
            let answer = BTreeMap::from([(question, Value::Bool(Some(false)))]);
            return MockDatabase::new(self.backend).append_query_results([[answer]]).query(0, statement);
        }
        let is_select = statement.sql.trim_start().get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case("select"));
        self.note(|recording| {
            recording.reads |= is_select;
            recording.statements.push(statement);
        });
        Ok(Vec::new())
    }

    fn begin(&mut self) {}

    fn commit(&mut self) {}

    fn rollback(&mut self) {}

    fn drain_transaction_log(&mut self) -> Vec<Transaction> {
        Vec::new()
    }

    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    fn ping(&self) -> Result<(), DbErr> {
        Ok(())
    }
}

impl Recorder {
    fn note(&self, note: impl FnOnce(&mut Recording)) {
        note(&mut self.recording.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Runs a migration against nothing. `None` where it cannot be done: it fails or panics without a database.
pub(crate) async fn record(
    migration: &dyn MigrationTrait,
    backend: DbBackend,
    direction: Direction,
) -> Option<Recording> {
    let recording = Arc::new(Mutex::new(Recording::default()));
    let recorder = MockDatabaseConnection::new(Recorder { backend, recording: Arc::clone(&recording) });
    let connection: DatabaseConnection = DatabaseConnectionType::MockDatabaseConnection(Arc::new(recorder)).into();
    let run = async {
        let manager = SchemaManager::new(&connection);
        match direction {
            Direction::Up => migration.up(&manager).await,
            Direction::Down => migration.down(&manager).await,
        }
    };
    AssertUnwindSafe(run).catch_unwind().await.ok()?.ok()?;
    let mut recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
    Some(mem::take(&mut *recording))
}

/// The checksum of a migration; `None` where its SQL cannot be had, or is another at each time.
///
/// A migration is recorded twice. Values that differ, and those that may be a time or made up on the spot (times, uuids,
/// numbers from a thousand million on), are left out: they say nothing about the code.
pub(crate) async fn checksum(migration: &dyn MigrationTrait, backend: DbBackend) -> Option<String> {
    let first = record(migration, backend, Direction::Up).await?;
    let second = record(migration, backend, Direction::Up).await?;
    if first.statements.len() != second.statements.len() {
        return None;
    }
    let mut hash = Sha256::new();
    for (first, second) in first.statements.iter().zip(&second.statements) {
        if first.sql != second.sql {
            return None;
        }
        hash.update(first.sql.as_bytes());
        let values =
            |statement: &Statement| statement.values.as_ref().map(|values| values.0.clone()).unwrap_or_default();
        for (value, again) in values(first).iter().zip(&values(second)) {
            hash.update([0]);
            if value == again && says_something(value) {
                hash.update(value.to_string().as_bytes());
            }
        }
        hash.update([0, 0]);
    }
    let mut text = format!("{MARK}:");
    for byte in hash.finalize() {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// Whether two checksums tell that a migration changed.
pub(crate) fn differ(stored: &str, now: &str) -> bool {
    let mark = |checksum: &str| checksum.split(':').next().map(str::to_owned);
    stored != now && mark(stored) == mark(now)
}

fn says_something(value: &Value) -> bool {
    const TIMELY: i64 = 1_000_000_000;
    match value {
        Value::BigInt(Some(number)) => number.abs() < TIMELY,
        Value::Int(Some(number)) => i64::from(*number).abs() < TIMELY,
        Value::BigUnsigned(Some(number)) => *number < TIMELY.unsigned_abs(),
        Value::Unsigned(Some(number)) => i64::from(*number) < TIMELY,
        Value::Uuid(_)
        | Value::ChronoDate(_)
        | Value::ChronoTime(_)
        | Value::ChronoDateTime(_)
        | Value::ChronoDateTimeUtc(_)
        | Value::ChronoDateTimeLocal(_)
        | Value::ChronoDateTimeWithTimeZone(_) => false,
        _ => true,
    }
}

impl Recording {
    /// Its statements as they can be read, values in place.
    pub(crate) fn sql(&self) -> Vec<String> {
        self.statements.iter().map(ToString::to_string).collect()
    }
}
