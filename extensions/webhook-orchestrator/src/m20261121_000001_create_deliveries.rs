//! The table of reports that were taken: what stands in it is not taken again.

use rivetgun::migration::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "webhook_orchestrator_deliveries";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(TABLE)
                    .col(ColumnDef::new("digest").text().not_null().primary_key())
                    .col(ColumnDef::new("message_id").text().not_null())
                    .col(ColumnDef::new("expires").timestamp_with_time_zone().not_null())
                    .take(),
            )
            .await?;
        for column in ["message_id", "expires"] {
            let index = Index::create().name(format!("{TABLE}_{column}")).table(TABLE).col(column).take();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}
