//! Runs migrations of one owner, up or down, in one transaction: the lock, the fence, the checksums.

use super::{CORE, Direction, Ledger, MigrationError, Migrator, Mode, tables};
use crate::{
    error::panic_text,
    store::{Owner, Owners, Store, WriteTx, fence::Fence, locks::Lock},
};
use futures_util::FutureExt;
use sea_orm::{DatabaseTransaction, DbErr};
use sea_orm_migration::MigratorTraitSelf;
use std::panic::AssertUnwindSafe;

/// What sea-orm says of a migration without a `down`.
const NO_DOWN: &str = "We Don't Do That Here";

/// What to do with the migrations of an owner.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Apply everything that is pending.
    Up,
    /// Take back so many, the latest first.
    Down(usize),
}

impl Work {
    fn direction(self) -> Direction {
        match self {
            Self::Up => Direction::Up,
            Self::Down(_) => Direction::Down,
        }
    }
}

impl Store {
    /// Does the work for one owner; the names of the migrations that ran, in the order in which they did.
    pub(crate) async fn migrate(
        &self,
        migrator: &Migrator,
        owners: &Owners,
        work: Work,
        mode: Mode,
    ) -> Result<Vec<String>, MigrationError> {
        if migrator.owner == CORE {
            return self.migrate_here(migrator, owners, work, mode).await;
        }
        let aside = self.aside().await?;
        let outcome = aside.migrate_here(migrator, owners, work, mode).await;
        let closed = aside.close_aside().await;
        let names = outcome?;
        closed?;
        Ok(names)
    }

    async fn migrate_here(
        &self,
        migrator: &Migrator,
        owners: &Owners,
        work: Work,
        mode: Mode,
    ) -> Result<Vec<String>, MigrationError> {
        let tx = self.write().await?;
        Lock::Migrations.take(&tx).await?;
        let ledger = Ledger::read(&*tx).await?;
        let names = todo(&ledger, migrator, work);
        if names.is_empty() {
            tx.rollback().await?;
            return Ok(names);
        }
        if migrator.owner != CORE && !ledger.knows(&migrator.owner) {
            let taken = tables(&*tx).await?.into_iter();
            let taken: Vec<String> =
                taken.filter(|table| owners.of(table) == Owner::Extension(&migrator.owner)).collect();
            if !taken.is_empty() {
                tx.rollback().await?;
                return Err(MigrationError::Taken { owner: migrator.owner.clone(), tables: taken });
            }
        }
        let fence = match migrator.owner.as_str() {
            CORE => None,
            extension => Some(Fence::raise(&tx, &self.gate, owners, extension).await?),
        };
        if let Err(error) = run_all(&tx, migrator, &names, work.direction()).await {
            let left = match (&fence, &error) {
                (Some(fence), MigrationError::Failed { source, .. }) => fence.was_left(&tx, source).await,
                _ => false,
            };
            roll_back(tx).await;
            return Err(if left { MigrationError::ended(&migrator.owner) } else { error });
        }
        self.finish(tx, fence, migrator, &names, work, mode).await?;
        Ok(names)
    }

    async fn finish(
        &self,
        tx: WriteTx,
        fence: Option<Fence<'_>>,
        migrator: &Migrator,
        names: &[String],
        work: Work,
        mode: Mode,
    ) -> Result<(), MigrationError> {
        if let Some(fence) = fence {
            let offences = fence.offences(&tx).await;
            if !matches!(&offences, Ok(offences) if offences.is_empty()) {
                roll_back(tx).await;
                return Err(MigrationError::Fence { owner: migrator.owner.clone(), offences: offences? });
            }
            fence.lower(&tx).await?;
        }
        if mode == Mode::DryRun {
            return Ok(tx.rollback().await?);
        }
        match work {
            Work::Up => super::checksums::keep(&tx, migrator, names).await?,
            Work::Down(_) => super::checksums::forget(&tx, &migrator.owner, names).await?,
        }
        Ok(tx.commit().await?)
    }
}

/// What is to run, in the order in which it will.
fn todo(ledger: &Ledger, migrator: &Migrator, work: Work) -> Vec<String> {
    let applied = ledger.applied(&migrator.owner);
    let names = migrator.migrations.iter().map(|migration| migration.name().to_owned());
    match work {
        Work::Up => names.filter(|name| !applied.contains(name)).collect(),
        Work::Down(steps) => {
            let names: Vec<String> = names.filter(|name| applied.contains(name)).collect();
            names.into_iter().rev().take(steps).collect()
        }
    }
}

async fn run_all(
    tx: &DatabaseTransaction,
    migrator: &Migrator,
    names: &[String],
    direction: Direction,
) -> Result<(), MigrationError> {
    for name in names {
        let run = async {
            match direction {
                Direction::Up => migrator.up(tx, Some(1)).await,
                Direction::Down => migrator.down(tx, Some(1)).await,
            }
        };
        let (owner, migration) = (migrator.owner.clone(), name.clone());
        match AssertUnwindSafe(run).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(DbErr::Migration(text))) if text == NO_DOWN => {
                return Err(MigrationError::OneWay { owner, migration });
            }
            Ok(Err(source)) => return Err(MigrationError::Failed { owner, migration, source }),
            Err(payload) => {
                return Err(MigrationError::Panicked { owner, migration, text: panic_text(&*payload) });
            }
        }
    }
    Ok(())
}

/// A migration may have ended the transaction itself; then there is nothing to roll back.
pub(super) async fn roll_back(tx: WriteTx) {
    if let Err(error) = tx.rollback().await {
        tracing::debug!(%error, "rolling back migrations");
    }
}
