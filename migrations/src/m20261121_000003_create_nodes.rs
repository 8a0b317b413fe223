//! Nodes, and every mac by which one is known: its own and those of its interfaces.

use crate::{column, foreign_key, optional};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("nodes")
                    .col(column::id())
                    .col(column::uuid("uuid").unique_key().take())
                    .col(column::text("mac").unique_key().take())
                    .col(optional(column::text("ip")))
                    .col(column::text("name"))
                    .col(column::text("hostname"))
                    .col(column::text("status"))
                    .col(column::number("progress"))
                    .col(column::flag("online"))
                    .col(column::time("timestamp"))
                    .col(column::json("roles"))
                    .col(column::json("pending_roles"))
                    .col(column::flag("pending_addition"))
                    .col(column::flag("pending_deletion"))
                    .col(optional(column::reference("cluster_id")))
                    .col(optional(column::reference("group_id")))
                    .col(optional(column::text("os_platform")))
                    .col(optional(column::text("manufacturer")))
                    .col(column::json("meta"))
                    .col(column::json("labels"))
                    .col(column::json("attributes"))
                    .col(optional(column::text("error_type")))
                    .col(optional(column::text("error_msg")))
                    .col(column::json("extensions"))
                    .col(optional(column::text("agent_checksum")))
                    .col(optional(column::json("replaced_deployment_info")))
                    .col(optional(column::json("replaced_provisioning_info")))
                    .foreign_key(&mut foreign_key("nodes", "cluster_id", "clusters", ForeignKeyAction::Restrict))
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("ux_nodes_cluster_id_hostname")
                    .table("nodes")
                    .col("cluster_id")
                    .col("hostname")
                    .unique()
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("node_macs")
                    .col(column::text("mac").primary_key().take())
                    .col(column::reference("node_id"))
                    .foreign_key(&mut foreign_key("node_macs", "node_id", "nodes", ForeignKeyAction::Cascade))
                    .take(),
            )
            .await?;
        manager
            .create_index(Index::create().name("ix_node_macs_node_id").table("node_macs").col("node_id").take())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("node_macs").take()).await?;
        manager.drop_table(Table::drop().table("nodes").take()).await
    }
}
