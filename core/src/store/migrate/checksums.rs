//! The table of checksums: written when a migration is applied, and for those that were applied before there were any.

use super::{Ledger, MigrationError, Migrator, checksum};
use crate::store::{Store, locks::Lock};
use rivetgun_migrations::CHECKSUM_TABLE;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, ExprTrait,
    sea_query::{Expr, Query},
};

/// Which checksums are written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those that are not there, or cannot be compared.
    Lacking,
    All,
}

impl Store {
    /// Writes the checksums that are not there yet: of databases that were migrated before there were any, and of
    /// versions whose checksums cannot be compared with those of this one.
    pub(crate) async fn keep_lacking_checksums(&self, migrators: &[Migrator]) -> Result<(), MigrationError> {
        self.write_checksums(migrators, Which::Lacking).await.map(drop)
    }

    /// Takes an owner's migrations as they are now; the names of those that had another checksum.
    pub(crate) async fn accept(&self, migrator: &Migrator) -> Result<Vec<String>, MigrationError> {
        self.write_checksums(std::slice::from_ref(migrator), Which::All).await
    }

    async fn write_checksums(&self, migrators: &[Migrator], which: Which) -> Result<Vec<String>, MigrationError> {
        let ledger = self.ledger().await?;
        let mut due = Vec::new();
        for migrator in migrators {
            let applied = ledger.applied(&migrator.owner);
            for migration in
                migrator.migrations.iter().filter(|migration| applied.iter().any(|name| name == migration.name()))
            {
                let Some(now) = checksum(&**migration, self.dialect()).await else { continue };
                let is_due = match which {
                    Which::Lacking => ledger.lacks_checksum(&migrator.owner, migration.name(), &now),
                    Which::All => ledger.checksum(&migrator.owner, migration.name()) != Some(&now),
                };
                if is_due {
                    due.push((migrator, migration.name().to_owned()));
                }
            }
        }
        if due.is_empty() || !ledger.keeps_checksums {
            return Ok(Vec::new());
        }
        let tx = self.write().await?;
        Lock::Migrations.take(&tx).await?;
        for (migrator, name) in &due {
            keep(&tx, migrator, std::slice::from_ref(name)).await?;
        }
        tx.commit().await?;
        Ok(due.into_iter().map(|(_, name)| name).collect())
    }
}

/// Writes the checksums of these migrations, whatever stands there. Does nothing where there is no table for them yet.
pub(super) async fn keep(tx: &DatabaseTransaction, migrator: &Migrator, names: &[String]) -> Result<(), DbErr> {
    if !Ledger::read(tx).await?.keeps_checksums {
        return Ok(());
    }
    forget(tx, &migrator.owner, names).await?;
    for migration in migrator.migrations.iter().filter(|migration| names.iter().any(|name| name == migration.name())) {
        let Some(checksum) = checksum(&**migration, tx.get_database_backend()).await else {
            tracing::debug!(owner = migrator.owner, migration = migration.name(), "its SQL cannot be recorded");
            continue;
        };
        let insert = Query::insert()
            .into_table(CHECKSUM_TABLE)
            .columns(["owner", "migration", "checksum", "applied_at"])
            .values_panic([
                migrator.owner.as_str().into(),
                migration.name().into(),
                checksum.into(),
                chrono::Utc::now().into(),
            ])
            .take();
        tx.execute(&insert).await?;
    }
    Ok(())
}

/// Removes the checksums of these migrations, where there is a table of them.
pub(super) async fn forget(tx: &DatabaseTransaction, owner: &str, names: &[String]) -> Result<(), DbErr> {
    if !Ledger::read(tx).await?.keeps_checksums {
        return Ok(());
    }
    let delete = Query::delete()
        .from_table(CHECKSUM_TABLE)
        .and_where(Expr::col("owner").eq(owner))
        .and_where(Expr::col("migration").is_in(names.iter().cloned()))
        .take();
    tx.execute(&delete).await.map(drop)
}
