//! The schema of Rivetgun's core, one migration a file, applied in the order of [`Core::migrations`].
//!
//! What holds for each of them: times are set by the server and never by a column's default (the text forms of SQLite
//! differ), what people type freely is JSON, statuses are words, and names of tables carry no prefix: a prefix marks the
//! tables of an extension.

use sea_orm_migration::prelude::*;

mod m20261121_000001_create_releases;
mod m20261121_000002_create_clusters;
mod m20261121_000003_create_nodes;
mod m20261121_000004_create_tasks;
mod m20261121_000005_create_notifications;
mod m20261121_000006_create_migration_tables;
mod m20261121_000007_create_node_groups;
mod m20261121_000008_create_sent_documents;
mod m20261121_000009_orchestrate_tasks;
mod m20261121_000010_create_events;
mod m20261121_000011_mark_forgotten_events;
mod park;

pub use park::park;

/// The migrations of the core, with their own history table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Core;

/// The table in which the core's applied migrations are kept.
pub const HISTORY_TABLE: &str = "core_migrations";

/// The table in which rows wait for extensions: `id`, `extension_name`, `data`.
pub const BUFFER_TABLE: &str = "extensions_migration_buffer";

/// The table in which the checksums of applied migrations are kept.
pub const CHECKSUM_TABLE: &str = "migration_checksums";

/// Every table of the core, the history table included, sorted. Who adds a table in a migration adds it here; a test of
/// the store compares the list with what the migrations make.
pub const TABLES: &[&str] = &[
    "clusters",
    HISTORY_TABLE,
    "event_deliveries",
    "event_marks",
    "event_subscriptions",
    "events",
    BUFFER_TABLE,
    CHECKSUM_TABLE,
    "node_groups",
    "node_macs",
    "nodes",
    "notifications",
    "releases",
    "replicas",
    "sent_documents",
    "task_log_lines",
    "task_nodes",
    "tasks",
];

impl Core {
    /// All migrations, oldest first.
    #[must_use]
    pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_releases::Migration),
            Box::new(m20261121_000002_create_clusters::Migration),
            Box::new(m20261121_000003_create_nodes::Migration),
            Box::new(m20261121_000004_create_tasks::Migration),
            Box::new(m20261121_000005_create_notifications::Migration),
            Box::new(m20261121_000006_create_migration_tables::Migration),
            Box::new(m20261121_000007_create_node_groups::Migration),
            Box::new(m20261121_000008_create_sent_documents::Migration),
            Box::new(m20261121_000009_orchestrate_tasks::Migration),
            Box::new(m20261121_000010_create_events::Migration),
            Box::new(m20261121_000011_mark_forgotten_events::Migration),
        ]
    }
}

/// The columns that most tables share, in the types that hold on SQLite and PostgreSQL alike.
mod column {
    use sea_orm_migration::prelude::ColumnDef;

    pub(crate) fn id() -> ColumnDef {
        ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().take()
    }

    pub(crate) fn text(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).text().not_null().take()
    }

    pub(crate) fn json(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).json_binary().not_null().take()
    }

    pub(crate) fn flag(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).boolean().not_null().take()
    }

    pub(crate) fn number(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).integer().not_null().take()
    }

    pub(crate) fn reference(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).big_integer().not_null().take()
    }

    pub(crate) fn uuid(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).uuid().not_null().take()
    }

    pub(crate) fn time(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).timestamp_with_time_zone().not_null().take()
    }
}

/// Makes a column of [`column`] one that may be empty.
fn optional(mut column: ColumnDef) -> ColumnDef {
    column.null().take()
}

fn foreign_key(
    table: &'static str,
    column: &'static str,
    to: &'static str,
    gone: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(format!("fk_{table}_{column}")).from(table, column).to(to, "id").on_delete(gone).take()
}
