//! The table of layouts. The node is a bare id: no relation leaves the tables of an extension.

use rivetgun::migration::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

pub(crate) const TABLE: &str = "volume_manager_node_volumes";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(TABLE)
            .col(ColumnDef::new("node_id").big_integer().not_null().primary_key())
            .col(ColumnDef::new("volumes").json_binary().not_null())
            .col(ColumnDef::new("is_edited").boolean().not_null())
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}
