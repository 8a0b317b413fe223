//! The table of layouts. A node that has no row yet has the layout that follows from its disks and roles.

use rivetgun::prelude::{
    Db, Result,
    sea_orm::{self, ActiveValue::Set, entity::prelude::*, sea_query::OnConflict},
};
use std::collections::BTreeMap;

/// PostgreSQL takes 65535 values in a statement, and SQLite half of that.
pub(crate) const ROWS_A_STATEMENT: usize = 5000;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "volume_manager_node_volumes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub node_id: i64,
    /// The full form.
    pub volumes: Json,
    /// Whether a person made it, so that it stays as it is.
    pub is_edited: bool,
}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of nodes, by node.
pub(crate) async fn of(db: &Db, node_ids: &[i64]) -> Result<BTreeMap<i64, Model>> {
    let mut rows = BTreeMap::new();
    for ids in node_ids.chunks(ROWS_A_STATEMENT) {
        let these = Entity::find().filter(Column::NodeId.is_in(ids.iter().copied()));
        rows.extend(these.all(db).await?.into_iter().map(|row| (row.node_id, row)));
    }
    Ok(rows)
}

/// Writes rows, in place of those that the nodes have.
pub(crate) async fn save(db: &Db, rows: Vec<Model>) -> Result<()> {
    let replace = OnConflict::column(Column::NodeId).update_columns([Column::Volumes, Column::IsEdited]).to_owned();
    for rows in rows.chunks(ROWS_A_STATEMENT) {
        let rows = rows.iter().cloned().map(|Model { node_id, volumes, is_edited }| ActiveModel {
            node_id: Set(node_id),
            volumes: Set(volumes),
            is_edited: Set(is_edited),
        });
        Entity::insert_many(rows).on_conflict(replace.clone()).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Forgets the layouts of nodes that are deleted.
pub(crate) async fn forget(db: &Db, node_ids: &[i64]) -> Result<()> {
    for ids in node_ids.chunks(ROWS_A_STATEMENT) {
        Entity::delete_many().filter(Column::NodeId.is_in(ids.iter().copied())).exec(db).await?;
    }
    Ok(())
}
