//! Takes the layouts that were a column of the core's nodes once, and waited in the buffer table. Nobody knows which of them a
//! person had edited, so that all of them stay as they are.

use crate::m20261121_000001_create_node_volumes::TABLE;
use rivetgun::migration::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for row in take_buffered(manager, "volume_manager").await? {
            let Some(node_id) = row["node_id"].as_i64().filter(|_| row["volumes"].is_array()) else {
                tracing::warn!(%row, "a row of the buffer table is not the layout of a node, and is left out");
                continue;
            };
            let insert = Query::insert()
                .into_table(TABLE)
                .columns(["node_id", "volumes", "is_edited"])
                .values_panic([node_id.into(), row["volumes"].clone().into(), true.into()])
                .on_conflict(OnConflict::column("node_id").update_column("volumes").to_owned())
                .take();
            manager.execute(insert).await?;
        }
        Ok(())
    }

    /// What was taken goes with the table.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
