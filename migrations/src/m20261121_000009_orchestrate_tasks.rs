//! Who works on a task, what that one calls it, and the roles that it sent for a node; and how to find the parts of a task.

use crate::{column, optional};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Until now there was one orchestrator.
        let orchestrator = column::text("orchestrator").default("local").take();
        for column in [orchestrator, optional(column::text("receipt"))] {
            manager.alter_table(Table::alter().table("tasks").add_column(column).take()).await?;
        }
        let roles = column::json("roles").default("[]").take();
        manager.alter_table(Table::alter().table("task_nodes").add_column(roles).take()).await?;
        manager.create_index(Index::create().name("ix_tasks_parent_id").table("tasks").col("parent_id").take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::drop();
        index.name("ix_tasks_parent_id").table("tasks");
        manager.drop_index(index).await?;
        for (table, column) in [("tasks", "orchestrator"), ("tasks", "receipt"), ("task_nodes", "roles")] {
            manager.alter_table(Table::alter().table(table).drop_column(column).take()).await?;
        }
        Ok(())
    }
}
