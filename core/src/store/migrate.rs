//! Applies migrations: the core's first, then each extension's in the total order, each owner in a transaction of its own.
//!
//! Every such transaction takes the one lock before it looks at its owner's history, so that servers that start at the
//! same moment apply each migration once. An owner that fails leaves nothing behind, and those before it stand.

use super::{Store, WriteTx};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, DynIden, sea_query::IntoIden};
use sea_orm_migration::{
    MigrationName, MigrationStatus, MigrationTrait, MigratorTraitSelf, SchemaManager, async_trait,
};
use std::sync::Arc;

/// Arbitrary, and the same in every version: all servers on a database must take the same advisory lock.
const LOCK_KEY: i64 = 0x7269_7665_7467_756e;

/// The migrations of one owner.
pub(crate) struct Migrator {
    /// `core`, or the name of the extension.
    pub(crate) owner: String,
    pub(crate) history_table: String,
    pub(crate) migrations: Vec<Arc<dyn MigrationTrait>>,
}

/// sea-orm asks for owned migrations again and again; this is one that can be had many times.
struct Shared(Arc<dyn MigrationTrait>);

impl MigrationName for Shared {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Shared {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false) // the owner's transaction is around all of them
    }
}

/// Why an owner's migrations could not be applied or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrationError {
    #[error("the migrations of `{owner}` failed and were rolled back")]
    Failed {
        owner: String,
        #[source]
        source: DbErr,
    },
    #[error(
        "the database has migrations of `{owner}` that this build lacks; run the version that applied them, or a newer one: {detail}"
    )]
    Missing { owner: String, detail: String },
}

/// Where one migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MigrationState {
    Applied,
    Pending,
}

/// What [`up`] did for an owner: the names of the migrations that it applied.
#[derive(Debug)]
pub(crate) struct Migrated {
    pub(crate) owner: String,
    pub(crate) applied: Vec<String>,
}

impl MigratorTraitSelf for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        self.migrations
            .iter()
            .map(|migration| Box::new(Shared(Arc::clone(migration))) as Box<dyn MigrationTrait>)
            .collect()
    }

    fn migration_table_name(&self) -> DynIden {
        self.history_table.clone().into_iden()
    }
}

impl Store {
    /// Applies what is pending of one owner.
    pub(crate) async fn migrate(&self, migrator: &Migrator) -> Result<Migrated, MigrationError> {
        let failed = |source| MigrationError::Failed { owner: migrator.owner.clone(), source };
        let transaction = self.write().await.map_err(failed)?;
        lock(&transaction).await.map_err(failed)?;
        let pending = migrator.states(&*transaction).await?;
        let applied: Vec<String> =
            pending.into_iter().filter(|(_, state)| *state == MigrationState::Pending).map(|(name, _)| name).collect();
        if !applied.is_empty() {
            migrator.up(&*transaction, None).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(Migrated { owner: migrator.owner.clone(), applied })
    }

    /// Where each migration of one owner stands. Creates nothing.
    pub(crate) async fn migration_states(
        &self,
        migrator: &Migrator,
    ) -> Result<Vec<(String, MigrationState)>, MigrationError> {
        migrator.states(self.reader()).await
    }
}

impl Migrator {
    async fn states(&self, connection: &impl ConnectionTrait) -> Result<Vec<(String, MigrationState)>, MigrationError> {
        let states = self.get_migration_with_status_read_only(connection).await.map_err(|source| match source {
            DbErr::Custom(detail) => MigrationError::Missing { owner: self.owner.clone(), detail },
            source => MigrationError::Failed { owner: self.owner.clone(), source },
        })?;
        let state = |status| match status {
            MigrationStatus::Applied => MigrationState::Applied,
            MigrationStatus::Pending => MigrationState::Pending,
        };
        Ok(states.iter().map(|migration| (migration.name().to_owned(), state(migration.status()))).collect())
    }
}

async fn lock(transaction: &WriteTx) -> Result<(), DbErr> {
    // On SQLite the transaction itself is the lock: no other can write.
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK_KEY})")).await?;
    }
    Ok(())
}
