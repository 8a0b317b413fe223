//! What a database knows of migrations: whose were applied, with which checksums. Read in three queries, whatever the
//! number of owners, and without creating anything.

use super::{Migrator, differ, record::checksum};
use crate::store::Owners;
use rivetgun_migrations::{CHECKSUM_TABLE, HISTORY_TABLE};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use std::collections::{BTreeMap, BTreeSet};

/// The owner of the core's migrations.
pub(crate) const CORE: &str = "core";
/// The migration of the core that makes the tables of subscriptions.
const SUBSCRIPTIONS: &str = "m20261121_000010_create_events";
/// SQLite takes so many parts of a compound `SELECT`.
const PARTS_AT_ONCE: usize = 200;

/// History tables, by their shape: an extension may well have a table of its own that is called so.
const HISTORIES_SQLITE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name = '$checksums' OR
    (name LIKE '%\\_migrations' ESCAPE '\\'
        AND (SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info(sqlite_schema.name) ORDER BY name))
            = 'applied_at,version'))";
const HISTORIES_POSTGRES: &str = "SELECT c.relname::text AS name FROM pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND c.relkind = 'r'
    AND (c.relname = '$checksums' OR (c.relname LIKE '%\\_migrations' AND
        (SELECT string_agg(attname::text, ',' ORDER BY attname) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) = 'applied_at,version'))";

/// What was applied to a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// By owner, with the applied migrations by name and, where it is known, the checksum of each.
    applied: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// Whether the table of checksums is there.
    pub(crate) keeps_checksums: bool,
}

/// Where one migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MigrationState {
    Applied,
    Pending,
    /// Applied, and its SQL is another since.
    Changed,
    /// Applied, and the build lacks it.
    Missing,
}

impl Ledger {
    pub(crate) async fn read(connection: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let backend = connection.get_database_backend();
        let sql = if backend == DbBackend::Postgres { HISTORIES_POSTGRES } else { HISTORIES_SQLITE };
        let tables = query(connection, &sql.replace("$checksums", CHECKSUM_TABLE)).await?;
        let mut tables: BTreeSet<String> =
            tables.into_iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?;
        let mut ledger = Self { applied: BTreeMap::new(), keeps_checksums: tables.remove(CHECKSUM_TABLE) };
        let owners: Vec<&str> = tables.iter().filter_map(|table| owner_of(table)).collect();
        for owners in owners.chunks(PARTS_AT_ONCE) {
            let part = |owner: &&str| format!("SELECT '{owner}' AS owner, version FROM \"{owner}_migrations\"");
            let sql = owners.iter().map(part).collect::<Vec<_>>().join(" UNION ALL ");
            for owner in owners {
                ledger.applied.entry((*owner).to_owned()).or_default();
            }
            for row in query(connection, &sql).await? {
                let applied = ledger.applied.entry(row.try_get("", "owner")?).or_default();
                applied.insert(row.try_get("", "version")?, None);
            }
        }
        if ledger.keeps_checksums {
            let sql = format!("SELECT owner, migration, checksum FROM {CHECKSUM_TABLE}");
            for row in query(connection, &sql).await? {
                let (owner, migration): (String, String) = (row.try_get("", "owner")?, row.try_get("", "migration")?);
                let known = ledger.applied.get_mut(&owner).and_then(|applied| applied.get_mut(&migration));
                if let Some(known) = known {
                    *known = Some(row.try_get("", "checksum")?);
                }
            }
        }
        Ok(ledger)
    }

    /// Everybody who may own something: these extensions, and those that the database knows.
    pub(crate) fn owners<'a>(&self, extensions: impl IntoIterator<Item = &'a str>) -> Owners {
        let known = self.applied.keys().filter(|owner| *owner != CORE).cloned();
        Owners::new(known.chain(extensions.into_iter().map(str::to_owned)))
    }

    /// The extensions with a history that are not among these.
    pub(crate) fn orphans<'a>(&self, extensions: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let extensions: BTreeSet<&str> = extensions.into_iter().chain([CORE]).collect();
        self.applied.keys().filter(|owner| !extensions.contains(owner.as_str())).cloned().collect()
    }

    /// Whether an owner has a history, be it an empty one.
    pub(crate) fn knows(&self, owner: &str) -> bool {
        self.applied.contains_key(owner)
    }

    /// Whether the tables of subscriptions are there.
    pub(crate) fn keeps_subscriptions(&self) -> bool {
        self.has(CORE, SUBSCRIPTIONS)
    }

    pub(crate) fn has(&self, owner: &str, migration: &str) -> bool {
        self.applied.get(owner).is_some_and(|applied| applied.contains_key(migration))
    }

    /// The names of what was applied of an owner, sorted.
    pub(crate) fn applied(&self, owner: &str) -> Vec<String> {
        self.applied.get(owner).map(|applied| applied.keys().cloned().collect()).unwrap_or_default()
    }

    /// Where each migration stands: those of the build in their order, then those that the build lacks.
    pub(crate) async fn states(&self, migrator: &Migrator, backend: DbBackend) -> Vec<(String, MigrationState)> {
        let none = BTreeMap::new();
        let applied = self.applied.get(&migrator.owner).unwrap_or(&none);
        let mut states = Vec::new();
        for migration in &migrator.migrations {
            let state = match applied.get(migration.name()) {
                None => MigrationState::Pending,
                Some(None) => MigrationState::Applied,
                Some(Some(stored)) => match checksum(&**migration, backend).await {
                    Some(now) if differ(stored, &now) => MigrationState::Changed,
                    _ => MigrationState::Applied,
                },
            };
            states.push((migration.name().to_owned(), state));
        }
        let of_build: BTreeSet<String> = states.iter().map(|(name, _)| name.clone()).collect();
        let missing = applied.keys().filter(|name| !of_build.contains(*name));
        states.extend(missing.map(|name| (name.clone(), MigrationState::Missing)));
        states
    }

    /// The checksum that an applied migration had.
    pub(super) fn checksum(&self, owner: &str, migration: &str) -> Option<&String> {
        self.applied.get(owner)?.get(migration)?.as_ref()
    }

    /// Whether an applied migration has no checksum, or one that this version cannot compare.
    pub(super) fn lacks_checksum(&self, owner: &str, migration: &str, now: &str) -> bool {
        match self.applied.get(owner).and_then(|applied| applied.get(migration)) {
            Some(Some(stored)) => stored != now && !differ(stored, now),
            Some(None) => true,
            None => false,
        }
    }
}

/// The tables in the schema of this server, sorted.
pub(crate) async fn tables(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = current_schema()",
        _ => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    };
    let mut tables: Vec<String> =
        query(connection, sql).await?.into_iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?;
    tables.sort();
    Ok(tables)
}

/// The history table that sea-orm's own migrator has in any other application.
const ANOTHER_APPLICATION: &str = "seaql_migrations";

/// The owner of a history table; a name that no extension can have is nobody's.
fn owner_of(table: &str) -> Option<&str> {
    if table == ANOTHER_APPLICATION {
        return None;
    }
    let owner = if table == HISTORY_TABLE { CORE } else { table.strip_suffix("_migrations")? };
    let starts_well = owner.starts_with(|first: char| first.is_ascii_lowercase());
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (starts_well && owner.chars().all(is_name)).then_some(owner)
}

async fn query(connection: &impl ConnectionTrait, sql: &str) -> Result<Vec<QueryResult>, DbErr> {
    connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await
}
