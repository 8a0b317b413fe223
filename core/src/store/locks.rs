//! The locks that all servers on a PostgreSQL database share, and that belong to no row.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// What only one transaction at a time may do. The numbers are arbitrary and the same in every version; two locks never have
/// the same one, which the compiler sees to.
#[derive(Debug, Clone, Copy)]
#[repr(i64)]
pub(super) enum Lock {
    /// To apply migrations: for as long as these take.
    Migrations = 0x7269_7665_7467_756e,
    /// To write at the end of the event log: for one insert and the commit.
    Log = 0x7269_7665_746c_6f67,
}

impl Lock {
    /// Takes it until the transaction ends. On SQLite the transaction itself is the lock: no other can write.
    pub(super) async fn take(self, transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
        if transaction.get_database_backend() == DbBackend::Postgres {
            let key = self as i64;
            transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({key})")).await?;
        }
        Ok(())
    }
}
