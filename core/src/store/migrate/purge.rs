//! Removes what an extension left behind that is no longer in the build. Under its own fence, as if it did so itself:
//! nothing of anybody else goes with it.

use super::{MigrationError, Mode, apply::roll_back};
use crate::store::{
    BUFFER, Owners, Store, WriteTx,
    fence::{Fence, Own},
    identifier,
    locks::Lock,
    subscriptions,
};
use rivetgun_migrations::CHECKSUM_TABLE;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExprTrait,
    sea_query::{Expr, Query},
};

/// What was removed, or would be.
#[derive(Debug)]
pub(crate) struct Purged {
    /// The kind and the name of each thing, in the order in which they go.
    pub(crate) objects: Vec<Own>,
    pub(crate) sql: Vec<String>,
    /// How many rows waited for it in the buffer table.
    pub(crate) buffered: u64,
    /// How many subscriptions it had.
    pub(crate) subscriptions: u64,
}

impl Store {
    /// Drops everything that belongs to an extension, forgets its checksums, and the rows that wait for it.
    pub(crate) async fn purge(&self, extension: &str, owners: &Owners, mode: Mode) -> Result<Purged, MigrationError> {
        let aside = self.aside().await?;
        let outcome = aside.purge_here(extension, owners, mode).await;
        let closed = aside.close_aside().await;
        let purged = outcome?;
        closed?;
        Ok(purged)
    }

    async fn purge_here(&self, extension: &str, owners: &Owners, mode: Mode) -> Result<Purged, MigrationError> {
        let tx = self.write().await?;
        Lock::Migrations.take(&tx).await?;
        let fence = Fence::raise(&tx, &self.gate, owners, extension).await?;
        let (objects, sql) = (fence.own(), fence.drops(tx.get_database_backend()));
        for statement in &sql {
            if let Err(source) = tx.execute_unprepared(statement).await {
                roll_back(tx).await;
                let migration = format!("purge (`{statement}`)");
                return Err(MigrationError::Failed { owner: extension.to_owned(), migration, source });
            }
        }
        let offences = fence.offences(&tx).await?;
        if !offences.is_empty() {
            roll_back(tx).await;
            return Err(MigrationError::Fence { owner: extension.to_owned(), offences });
        }
        fence.lower(&tx).await?;
        let (buffered, subscriptions) = forget(&tx, extension).await?;
        match mode {
            Mode::Keep => tx.commit().await?,
            Mode::DryRun => tx.rollback().await?,
        }
        Ok(Purged { objects, sql, buffered, subscriptions })
    }
}

/// Removes its rows from the tables of the core; how many of those waited for it, and how many were subscriptions.
async fn forget(tx: &WriteTx, extension: &str) -> Result<(u64, u64), DbErr> {
    let ledger = super::Ledger::read(&**tx).await?;
    if !ledger.keeps_checksums {
        return Ok((0, 0));
    }
    let of = |table: &'static str, column: &'static str| {
        Query::delete().from_table(table).and_where(Expr::col(column).eq(extension)).take()
    };
    tx.execute(&of(CHECKSUM_TABLE, "owner")).await?;
    let buffered = tx.execute(&of(BUFFER, "extension_name")).await?.rows_affected();
    let keeps = ledger.keeps_subscriptions();
    Ok((buffered, if keeps { subscriptions::forget(tx, extension).await? } else { 0 }))
}

/// The statements that drop these things. None of them cascades: what somebody else needs stays, and all of it with it.
pub(in crate::store) fn drops(backend: DbBackend, objects: &[Own], with_foreign_keys: &[String]) -> Vec<String> {
    let of = |kind: &str| -> Vec<String> {
        objects.iter().filter(|own| own.kind == kind).map(|own| identifier(&own.name)).collect()
    };
    if backend == DbBackend::Postgres {
        let kinds = [
            ("materialized view", "MATERIALIZED VIEW"),
            ("view", "VIEW"),
            ("foreign table", "FOREIGN TABLE"),
            ("table", "TABLE"),
            ("sequence", "SEQUENCE"),
            ("type", "TYPE"),
            ("collation", "COLLATION"),
        ];
        let drop = |(kind, word): &(&str, &str)| {
            let names = of(kind);
            (!names.is_empty()).then(|| format!("DROP {word} IF EXISTS {}", names.join(", ")))
        };
        return kinds.iter().filter_map(drop).collect();
    }
    let views = of("view").into_iter().map(|name| format!("DROP VIEW {name}"));
    // Rows first, so that no table goes while another still refers to it.
    let deferred = (!with_foreign_keys.is_empty()).then(|| "PRAGMA defer_foreign_keys = ON".to_owned());
    let rows = with_foreign_keys.iter().map(|name| format!("DELETE FROM {}", identifier(name)));
    let tables = of("table").into_iter().map(|name| format!("DROP TABLE IF EXISTS {name}"));
    views.chain(deferred).chain(rows).chain(tables).collect()
}
