//! Applies migrations and takes them back: the core's first, then each extension's in the total order, each owner in a
//! transaction of its own.
//!
//! Every such transaction takes the one lock before it looks at its owner's history, so that servers that start at the
//! same moment apply each migration once. An owner that fails leaves nothing behind, and those before it stand. The
//! migrations of extensions run inside of the [`fence`](super::fence), on a connection of their own, whatever they do to
//! its session.

mod apply;
mod checksums;
mod ledger;
mod purge;
mod record;

pub(crate) use apply::Work;
pub(crate) use ledger::{CORE, Ledger, MigrationState, tables};
pub(crate) use purge::Purged;
pub(super) use purge::drops;
pub(crate) use record::{Direction, record};

use super::{Store, fence::Offence};
use record::{checksum, differ};
use sea_orm::{DbErr, DynIden, sea_query::IntoIden};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTraitSelf, SchemaManager, async_trait};
use std::{collections::BTreeSet, sync::Arc};

/// The migrations of one owner.
pub(crate) struct Migrator {
    /// `core`, or the name of the extension.
    pub(crate) owner: String,
    pub(crate) history_table: String,
    pub(crate) migrations: Vec<Arc<dyn MigrationTrait>>,
}

/// Whether what is done stays, or is looked at and rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Keep,
    DryRun,
}

/// Why an owner's migrations could not be applied, taken back or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrationError {
    #[error("the database does not answer about migrations")]
    Database(#[from] DbErr),
    #[error("{} failed, and what `{owner}` did now was rolled back", named(owner, migration))]
    Failed {
        owner: String,
        migration: String,
        #[source]
        source: DbErr,
    },
    #[error("{} panicked, and what `{owner}` did now was rolled back: {text}", named(owner, migration))]
    Panicked { owner: String, migration: String, text: String },
    #[error("{} cannot be taken back: it has no `down`", named(owner, migration))]
    OneWay { owner: String, migration: String },
    #[error(
        "the migrations of `{owner}` reach what is not its own, and were rolled back: {}",
        join(offences.iter().map(|offence| format!("`{owner}`: {offence}")))
    )]
    Fence { owner: String, offences: BTreeSet<Offence> },
    #[error(
        "`{owner}` is new to this database, and tables whose names begin with `{owner}_` are there already ({}); rename the \
         extension, or those tables",
        tables.join(", ")
    )]
    Taken { owner: String, tables: Vec<String> },
    #[error(
        "the database has migrations of `{owner}` that this build lacks; run the version that applied them, or a newer \
         one: {}",
        names.join(", ")
    )]
    Missing { owner: String, names: Vec<String> },
    #[error(
        "applied migrations are not what they were: {}; restore them and write what is new into a new migration, or, if \
         the database is as the new text would make it, accept that: {}",
        join(changes.iter().map(|(owner, names)| format!("{} of `{owner}`", names.join(", ")))),
        join(changes.iter().map(|(owner, _)| format!("`rivetgun migrate accept --extension {owner}`")))
    )]
    Changed { changes: Vec<(String, Vec<String>)> },
}

impl MigrationError {
    fn ended(owner: &str) -> Self {
        Self::Fence { owner: owner.to_owned(), offences: BTreeSet::from([Offence::ended()]) }
    }
}

fn named(owner: &str, migration: &str) -> String {
    format!("the migration {migration} of `{owner}`")
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
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
    /// What was applied to the database. Creates nothing.
    pub(crate) async fn ledger(&self) -> Result<Ledger, DbErr> {
        Ledger::read(self.reader()).await
    }

    /// Where each migration of an owner stands, by what the ledger knows.
    pub(crate) async fn states(&self, ledger: &Ledger, migrator: &Migrator) -> Vec<(String, MigrationState)> {
        ledger.states(migrator, self.dialect()).await
    }

    /// Refuses a build that does not fit to what was applied: migrations that it lacks, or that changed since.
    pub(crate) async fn check_applied(&self, ledger: &Ledger, migrators: &[Migrator]) -> Result<(), MigrationError> {
        let mut changes = Vec::new();
        for migrator in migrators {
            let states = self.states(ledger, migrator).await;
            let of = |wanted| {
                let found = states.iter().filter(|(_, state)| *state == wanted);
                found.map(|(name, _)| name.clone()).collect::<Vec<_>>()
            };
            let names = of(MigrationState::Missing);
            if !names.is_empty() {
                return Err(MigrationError::Missing { owner: migrator.owner.clone(), names });
            }
            let names = of(MigrationState::Changed);
            if !names.is_empty() {
                changes.push((migrator.owner.clone(), names));
            }
        }
        if changes.is_empty() { Ok(()) } else { Err(MigrationError::Changed { changes }) }
    }
}
