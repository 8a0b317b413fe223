//! Queries of node groups.

use super::{Listed, Page, WriteTx, entity::node_group};
use crate::model::NodeGroup;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
};

/// Which groups are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupFilter {
    pub(crate) cluster: Option<i64>,
}

pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    filter: GroupFilter,
    page: &Page,
) -> Result<Listed<NodeGroup>, DbErr> {
    let mut select = node_group::Entity::find();
    if let Some(cluster) = filter.cluster {
        select = select.filter(node_group::Column::ClusterId.eq(cluster));
    }
    page.of(select, node_group::Column::Id, connection).await?.try_map(|row| Ok(from_row(row)))
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<node_group::Entity>()
}

pub(crate) async fn find(connection: &impl ConnectionTrait, id: i64) -> Result<Option<NodeGroup>, DbErr> {
    Ok(node_group::Entity::find_by_id(id).one(connection).await?.map(from_row))
}

/// The groups of a cluster, in the order of their ids.
pub(crate) async fn of_cluster(connection: &impl ConnectionTrait, cluster: i64) -> Result<Vec<NodeGroup>, DbErr> {
    let of_cluster = node_group::Entity::find().filter(node_group::Column::ClusterId.eq(cluster));
    let rows = of_cluster.order_by_asc(node_group::Column::Id).all(connection).await?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Inserts a group; its `id` is ignored.
pub(crate) async fn insert(tx: &WriteTx, group: NodeGroup) -> Result<NodeGroup, DbErr> {
    let NodeGroup { cluster_id, name, is_default, .. } = group;
    let row = node_group::ActiveModel {
        id: NotSet,
        cluster_id: Set(cluster_id),
        name: Set(name),
        is_default: Set(is_default),
    };
    let group = row.insert(tx).await.map(from_row)?;
    tx.journal.created(&group);
    Ok(group)
}

pub(crate) async fn rename(tx: &WriteTx, before: &NodeGroup, name: String) -> Result<NodeGroup, DbErr> {
    let row = node_group::ActiveModel { id: Unchanged(before.id), name: Set(name), ..Default::default() };
    let group = row.update(tx).await.map(from_row)?;
    tx.journal.updated(before, &group);
    Ok(group)
}

pub(crate) async fn delete(tx: &WriteTx, group: &NodeGroup) -> Result<(), DbErr> {
    tx.journal.deleted(group);
    node_group::Entity::delete_by_id(group.id).exec(tx).await.map(drop)
}

fn from_row(row: node_group::Model) -> NodeGroup {
    NodeGroup { id: row.id, cluster_id: row.cluster_id, name: row.name, is_default: row.is_default }
}
