//! Node groups. Every cluster has one that is its default; those that were there before get theirs here, and their nodes
//! join it.

use crate::{column, foreign_key};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("node_groups")
                    .col(column::id())
                    .col(column::reference("cluster_id"))
                    .col(column::text("name"))
                    .col(column::flag("is_default"))
                    .foreign_key(&mut foreign_key("node_groups", "cluster_id", "clusters", ForeignKeyAction::Cascade))
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("ux_node_groups_cluster_id_name")
                    .table("node_groups")
                    .col("cluster_id")
                    .col("name")
                    .unique()
                    .take(),
            )
            .await?;
        let connection = manager.get_connection();
        connection
            .execute_unprepared(
                "INSERT INTO node_groups (cluster_id, name, is_default) SELECT id, 'default', TRUE FROM clusters ORDER BY id",
            )
            .await?;
        connection
            .execute_unprepared(
                "UPDATE nodes SET group_id = (SELECT id FROM node_groups WHERE node_groups.cluster_id = nodes.cluster_id)",
            )
            .await
            .map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("UPDATE nodes SET group_id = NULL").await?;
        manager.drop_table(Table::drop().table("node_groups").take()).await
    }
}
