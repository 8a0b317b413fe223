//! Tasks, the part of each node in one, and what the orchestrator said while it worked.
//!
//! `task_nodes` and `task_log_lines` keep a bare node id: the record of a task outlives its nodes.

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
                    .table("tasks")
                    .col(column::id())
                    .col(column::uuid("uuid").unique_key().take())
                    .col(optional(column::reference("cluster_id")))
                    .col(column::text("name"))
                    .col(column::text("status"))
                    .col(column::number("progress"))
                    .col(column::text("message"))
                    .col(column::json("result"))
                    .col(optional(column::reference("parent_id")))
                    .col(optional(column::text("extension")))
                    .col(column::flag("dry_run"))
                    .col(column::uuid("server_id"))
                    .col(column::time("time_start"))
                    .col(optional(column::time("time_end")))
                    .foreign_key(&mut foreign_key("tasks", "cluster_id", "clusters", ForeignKeyAction::SetNull))
                    .foreign_key(&mut foreign_key("tasks", "parent_id", "tasks", ForeignKeyAction::Cascade))
                    .take(),
            )
            .await?;
        manager
            .create_index(Index::create().name("ix_tasks_cluster_id").table("tasks").col("cluster_id").take())
            .await?;
        manager.create_index(Index::create().name("ix_tasks_status").table("tasks").col("status").take()).await?;
        manager
            .create_table(
                Table::create()
                    .table("task_nodes")
                    .col(column::reference("task_id"))
                    .col(column::reference("node_id"))
                    .col(column::text("status"))
                    .col(column::number("progress"))
                    .col(optional(column::text("message")))
                    .primary_key(Index::create().col("task_id").col("node_id"))
                    .foreign_key(&mut foreign_key("task_nodes", "task_id", "tasks", ForeignKeyAction::Cascade))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("task_log_lines")
                    .col(column::id())
                    .col(column::reference("task_id"))
                    .col(optional(column::reference("node_id")))
                    .col(column::time("time"))
                    .col(column::text("stream"))
                    .col(column::text("line"))
                    .foreign_key(&mut foreign_key("task_log_lines", "task_id", "tasks", ForeignKeyAction::Cascade))
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("ix_task_log_lines_task_id")
                    .table("task_log_lines")
                    .col("task_id")
                    .col("id")
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["task_log_lines", "task_nodes", "tasks"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}
