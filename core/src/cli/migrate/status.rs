//! `rivetgun migrate status`

use super::{chosen, close, ledger};
use crate::{
    boot::Linked,
    cli::{
        CliError,
        output::{self, say},
    },
    error::Refusal,
    store::{self, Ledger, MigrationState, Owner, Store},
};
use serde_json::json;
use std::collections::BTreeMap;

/// What an extension left that is not in this build.
#[derive(Debug, serde::Serialize)]
pub(super) struct Orphan {
    name: String,
    migrations: Vec<String>,
    tables: Vec<String>,
}

pub(super) async fn status(linked: &Linked, extension: Option<&str>, as_json: bool) -> Result<(), CliError> {
    let store = linked.open_as_it_is().await?;
    let ledger = ledger(&store).await?;
    let (mut orphans, mut waiting) = (orphans(linked, &store, &ledger).await?, waiting(&store, &ledger).await?);
    let mut subscriptions = left_subscriptions(linked, &store, &ledger).await?;
    if let Some(name) = extension {
        subscriptions.retain(|left, _| left == name);
        orphans.retain(|orphan| orphan.name == name);
        waiting.retain(|waiting, _| waiting == name);
    }
    let migrators = if orphans.is_empty() && subscriptions.is_empty() || extension.is_none() {
        chosen(linked, &ledger, extension)?
    } else {
        vec![]
    };
    let mut rows = Vec::new();
    for migrator in &migrators {
        for (name, state) in store.states(&ledger, migrator).await {
            let state = match state {
                MigrationState::Applied => "applied",
                MigrationState::Pending => "pending",
                MigrationState::Changed => "changed",
                MigrationState::Missing => "missing",
            };
            rows.push(vec![migrator.owner.clone(), name, state.to_owned()]);
        }
    }
    for orphan in &orphans {
        let names = orphan.migrations.iter();
        rows.extend(names.map(|name| vec![orphan.name.clone(), name.clone(), "orphaned".to_owned()]));
    }
    close(store).await?;
    if as_json {
        let migrations: Vec<_> = rows
            .iter()
            .map(|row| json!({"owner": row.first(), "migration": row.get(1), "state": row.get(2)}))
            .collect();
        return say(format!(
            "{:#}",
            json!({"migrations": migrations, "orphaned": orphans, "buffered": waiting, "subscriptions": subscriptions})
        ));
    }
    rows.insert(0, ["OWNER", "MIGRATION", "STATE"].map(str::to_owned).to_vec());
    say(output::table(&rows))?;
    for Orphan { name, tables, .. } in &orphans {
        say(format!(
            "`{name}` is not in this build, and left {}; `rivetgun migrate purge --extension {name}` removes that",
            tables.join(", ")
        ))?;
    }
    for (name, count) in subscriptions {
        say(format!(
            "`{name}` is not in this build, and left {count} subscriptions; `rivetgun migrate purge --extension {name}` \
             removes these as well"
        ))?;
    }
    for (name, count) in waiting {
        let place =
            if linked.extension_names().any(|known| known == name) { "" } else { ", which is not in this build" };
        say(format!("{count} rows wait for `{name}`{place}"))?;
    }
    Ok(())
}

/// The extensions that the database knows and this build lacks.
pub(super) async fn orphans(linked: &Linked, store: &Store, ledger: &Ledger) -> Result<Vec<Orphan>, Refusal> {
    let owners = ledger.owners(linked.extension_names());
    let tables = store::tables(store.reader()).await?;
    let orphan = |name: String| Orphan {
        migrations: ledger.applied(&name),
        tables: tables.iter().filter(|table| owners.of(table) == Owner::Extension(&name)).cloned().collect(),
        name,
    };
    Ok(ledger.orphans(linked.extension_names()).into_iter().map(orphan).collect())
}

/// How many subscriptions extensions left that are not in this build.
pub(super) async fn left_subscriptions(
    linked: &Linked,
    store: &Store,
    ledger: &Ledger,
) -> Result<BTreeMap<String, u64>, Refusal> {
    let mut left = BTreeMap::new();
    if ledger.keeps_subscriptions() {
        for standing in store::subscriptions::standings(store.reader()).await? {
            let extension = standing.id.extension;
            if !linked.extension_names().any(|known| known == extension) {
                *left.entry(extension).or_default() += 1;
            }
        }
    }
    Ok(left)
}

/// How many rows wait for whom in the buffer table.
pub(super) async fn waiting(store: &Store, ledger: &Ledger) -> Result<BTreeMap<String, i64>, Refusal> {
    // Both tables came with one migration.
    Ok(if ledger.keeps_checksums { store::buffered(store.reader()).await? } else { BTreeMap::new() })
}
