//! Where the overlays of a cluster lie. The cluster is a bare id: no relation leaves the tables of an extension.

use rivetgun::migration::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "config_overlay_repos";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(TABLE)
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("repo_name").text().not_null().unique_key())
                    .col(ColumnDef::new("env_id").big_integer().not_null().unique_key())
                    .col(ColumnDef::new("path").text().not_null())
                    .col(ColumnDef::new("git_ref").text().null())
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}
