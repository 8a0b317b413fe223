//! The table of entries. Node and cluster are bare ids: no relation leaves the tables of an extension.

use rivetgun::migration::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "additional_logger_entries";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(TABLE)
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("node_id").big_integer().null())
                    .col(ColumnDef::new("cluster_id").big_integer().null())
                    .col(ColumnDef::new("event").text().not_null())
                    .col(ColumnDef::new("time").timestamp_with_time_zone().not_null())
                    .take(),
            )
            .await?;
        for column in ["node_id", "cluster_id"] {
            let index = Index::create().name(format!("{TABLE}_{column}")).table(TABLE).col(column).take();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}
