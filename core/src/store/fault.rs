//! What a database error means to whoever asked.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// The kinds of failure that callers can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatabaseFault {
    /// Somebody else wrote the same thing at the same moment.
    Conflict,
    /// The value cannot be stored: a NUL character, a number out of range.
    Unstorable,
    /// The database is busy, full or out of reach; later it may work.
    Unavailable,
    /// Anything else is a defect of ours.
    Defect,
}

/// Classifies an error by the codes of SQLite (primary result codes) and PostgreSQL (classes of SQLSTATE).
pub(crate) fn fault_of(error: &DbErr) -> DatabaseFault {
    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_)))
    {
        return DatabaseFault::Conflict;
    }
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => DatabaseFault::Unavailable,
            _ => DatabaseFault::Defect,
        };
    };
    match &**cause {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            DatabaseFault::Unavailable
        }
        sqlx::Error::Database(cause) => of_code(&cause.code().unwrap_or_default()),
        _ => DatabaseFault::Defect,
    }
}

/// Whether PostgreSQL ended a statement that took longer than its `statement_timeout`.
pub(crate) fn is_statement_timeout(error: &DbErr) -> bool {
    code_of(error).is_some_and(|code| code == "57014")
}

/// Whether SQLite says that another connection is at work just now.
pub(crate) fn is_busy(error: &DbErr) -> bool {
    code_of(error).and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// The code of the database: an SQLSTATE, or SQLite's extended result code.
pub(crate) fn code_of(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    match &**cause {
        sqlx::Error::Database(cause) => cause.code().map(Into::into),
        _ => None,
    }
}

fn of_code(code: &str) -> DatabaseFault {
    match code {
        // Deadlock and serialization failure.
        "40001" | "40P01" => DatabaseFault::Conflict,
        // Five characters are SQLSTATE: 22 data exception; 08 connection, 53 resources, 55 lock, 57 intervention.
        code if code.len() == 5 => match &code[..2] {
            "22" => DatabaseFault::Unstorable,
            "08" | "53" | "55" | "57" => DatabaseFault::Unavailable,
            _ => DatabaseFault::Defect,
        },
        // SQLite's extended codes carry the primary one in the low byte: 5 busy, 6 locked, 8 read-only, 10 I/O,
        // 13 full, 14 cannot open, 18 too big.
        code => match code.parse::<u32>().map(|code| code & 0xff) {
            Ok(5 | 6 | 8 | 10 | 13 | 14) => DatabaseFault::Unavailable,
            Ok(18) => DatabaseFault::Unstorable,
            _ => DatabaseFault::Defect,
        },
    }
}
