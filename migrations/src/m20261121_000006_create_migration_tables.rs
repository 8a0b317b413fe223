//! What migrations themselves need: rows that wait for extensions, and the checksums of what was applied.

use crate::{BUFFER_TABLE, CHECKSUM_TABLE, column, optional};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(BUFFER_TABLE)
                    .col(column::id())
                    .col(column::text("extension_name"))
                    .col(optional(ColumnDef::new("data").json().take()))
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("ix_extensions_migration_buffer_extension_name")
                    .table(BUFFER_TABLE)
                    .col("extension_name")
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(CHECKSUM_TABLE)
                    .col(column::text("owner"))
                    .col(column::text("migration"))
                    .col(column::text("checksum"))
                    .col(column::time("applied_at"))
                    .primary_key(Index::create().col("owner").col("migration"))
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(CHECKSUM_TABLE).take()).await?;
        manager.drop_table(Table::drop().table(BUFFER_TABLE).take()).await
    }
}
