//! Takes the layouts that were a column of the core's nodes once, and waited in the buffer table. Nobody knows which of them a
//! person had edited, so that all of them stay as they are.

use crate::{m20261121_000001_create_node_volumes::TABLE, rows::ROWS_A_STATEMENT};
use rivetgun::migration::*;
use std::collections::BTreeMap;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // By node: a statement must not write a row twice, and the last one counts.
        let mut layouts = BTreeMap::new();
        for row in take_buffered(manager, "volume_manager").await? {
            let Some(node_id) = row["node_id"].as_i64().filter(|_| row["volumes"].is_array()) else {
                tracing::warn!(%row, "a row of the buffer table is not the layout of a node, and is left out");
                continue;
            };
            layouts.insert(node_id, row["volumes"].clone());
        }
        for layouts in layouts.into_iter().collect::<Vec<_>>().chunks(ROWS_A_STATEMENT) {
            let mut insert = Query::insert().into_table(TABLE).columns(["node_id", "volumes", "is_edited"]).take();
            for (node_id, volumes) in layouts {
                insert.values_panic([(*node_id).into(), volumes.clone().into(), true.into()]);
            }
            insert.on_conflict(OnConflict::column("node_id").update_column("volumes").to_owned());
            manager.execute(insert).await?;
        }
        Ok(())
    }

    /// What was taken goes with the table.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
