//! Migrations on both databases: the fence, checksums, histories, the buffer table, many servers.

mod buffer;
mod fence;
mod history;

use super::{CORE, MigrationError, Migrator, Mode, Store, Work, tables};
use rivetgun_migrations::{Core, HISTORY_TABLE};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};
use std::sync::Arc;

/// A migration that runs statements as they stand here.
#[derive(Debug, Clone)]
struct Raw {
    name: String,
    up: Vec<String>,
    down: Vec<String>,
}

impl Raw {
    fn new(name: &str, up: &[&str]) -> Self {
        Self { name: name.to_owned(), up: up.iter().map(|sql| (*sql).to_owned()).collect(), down: Vec::new() }
    }

    fn down(mut self, down: &[&str]) -> Self {
        self.down = down.iter().map(|sql| (*sql).to_owned()).collect();
        self
    }
}

impl MigrationName for Raw {
    fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Raw {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in &self.up {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in &self.down {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

fn core() -> Migrator {
    Migrator {
        owner: CORE.to_owned(),
        history_table: HISTORY_TABLE.to_owned(),
        migrations: Core::migrations().into_iter().map(Arc::from).collect(),
    }
}

fn extension(name: &str, migrations: Vec<Raw>) -> Migrator {
    let migrations = migrations.into_iter().map(|raw| Arc::new(raw) as Arc<dyn MigrationTrait>).collect();
    Migrator { owner: name.to_owned(), history_table: format!("{name}_migrations"), migrations }
}

/// `volume` with one migration of these statements.
fn volume(up: &[&str]) -> Migrator {
    extension("volume", vec![Raw::new("m1_volume", up)])
}

/// What the extensions of the build are called, whatever they have.
const BUILD: [&str; 3] = ["other", "volume", "volume_keeper"];

async fn up(store: &Store, migrator: &Migrator) -> Result<Vec<String>, MigrationError> {
    work(store, migrator, Work::Up, Mode::Keep).await
}

async fn work(store: &Store, migrator: &Migrator, work: Work, mode: Mode) -> Result<Vec<String>, MigrationError> {
    let ledger = store.ledger().await.expect("the ledger");
    store.migrate(migrator, &ledger.owners(BUILD), work, mode).await
}

/// The core, and another extension, with rows.
async fn prepare(store: &Store) {
    up(store, &core()).await.expect("the core");
    let other = extension(
        "other",
        vec![Raw::new(
            "m1_other",
            &[
                "CREATE TABLE other_rows (id INTEGER PRIMARY KEY, text TEXT)",
                "CREATE VIEW other_view AS SELECT 1 AS id",
            ],
        )],
    );
    up(store, &other).await.expect("another extension");
    for sql in [
        "INSERT INTO other_rows VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO releases (name, version, description, operating_system, state, roles, extensions)
            VALUES ('r', '1', '', '', 'available', '[]', '[]')",
        "INSERT INTO extensions_migration_buffer (extension_name, data) VALUES ('other', '{\"a\":1}'), ('volume', '{\"b\":2}')",
    ] {
        store.reader().execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// Everything that can be seen of the database: its definitions and the rows of every table.
async fn everything(store: &Store) -> Vec<String> {
    let (definitions, row) = match store.dialect() {
        DbBackend::Postgres => (
            "SELECT concat_ws(' ', 'relation', relname, relkind, relnatts, relowner, relacl, relfilenode, relrowsecurity)
                AS line FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', 'type', typname) FROM pg_type WHERE typnamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', 'function', proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', 'trigger', tgname) FROM pg_trigger
            UNION ALL SELECT concat_ws(' ', 'rule', rulename) FROM pg_rewrite
            UNION ALL SELECT concat_ws(' ', 'constraint', conname) FROM pg_constraint
            UNION ALL SELECT concat_ws(' ', 'policy', polname) FROM pg_policy
            UNION ALL SELECT concat_ws(' ', 'schema', nspname) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
            UNION ALL SELECT concat_ws(' ', 'publication', pubname) FROM pg_publication
            UNION ALL SELECT concat_ws(' ', 'setting', setconfig::text) FROM pg_db_role_setting",
            "row_to_json(t)::text",
        ),
        _ => (
            "SELECT concat_ws(' ', type, name, tbl_name, sql) AS line FROM sqlite_schema
            UNION ALL SELECT concat_ws(' ', 'value', user_version) FROM pragma_user_version",
            "",
        ),
    };
    let mut all = lines(store, definitions).await;
    for table in tables(store.reader()).await.expect("the tables") {
        let row = if row.is_empty() {
            let columns =
                lines(store, &format!("SELECT 'quote(\"' || name || '\")' AS line FROM pragma_table_info('{table}')"))
                    .await;
            format!("concat_ws('|', {})", columns.join(", "))
        } else {
            row.to_owned()
        };
        all.extend(lines(store, &format!("SELECT '{table} ' || {row} AS line FROM \"{table}\" t")).await);
    }
    all.sort();
    all
}

async fn lines(store: &Store, sql: &str) -> Vec<String> {
    let rows = store.reader().query_all_raw(Statement::from_string(store.dialect(), sql)).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.try_get("", "line").expect("a text")).collect()
}

/// An error with its causes.
fn told(error: &MigrationError) -> String {
    crate::error::chain(error)
}
