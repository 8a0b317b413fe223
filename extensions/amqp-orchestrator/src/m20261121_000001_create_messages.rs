//! The table of messages. Task and nodes are bare ids: no relation leaves the tables of an extension.

use rivetgun::migration::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "amqp_orchestrator_messages";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(TABLE)
                    .col(ColumnDef::new("uuid").uuid().not_null().primary_key())
                    .col(ColumnDef::new("task").uuid().not_null())
                    .col(ColumnDef::new("place").integer().not_null())
                    .col(ColumnDef::new("total").integer().not_null())
                    .col(ColumnDef::new("method").text().not_null())
                    .col(ColumnDef::new("nodes").json_binary().not_null())
                    .col(ColumnDef::new("stops").uuid().null())
                    .col(ColumnDef::new("time").timestamp_with_time_zone().not_null())
                    .col(ColumnDef::new("state").text().not_null())
                    .take(),
            )
            .await?;
        for column in ["task", "stops", "time"] {
            let index = Index::create().name(format!("{TABLE}_{column}")).table(TABLE).col(column).take();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}
