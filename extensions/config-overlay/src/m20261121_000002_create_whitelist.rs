//! What the overlays of a cluster may change, one rule a row.

use rivetgun::migration::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "config_overlay_whitelist";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(TABLE)
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("env_id").big_integer().not_null())
                    .col(ColumnDef::new("rule").text().not_null())
                    .take(),
            )
            .await?;
        let once = Index::create().name(format!("{TABLE}_once")).table(TABLE).col("env_id").col("rule").unique().take();
        manager.create_index(once).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}
