//! Who works on a task, and what that one calls it; and how to find the parts of a task.

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
        manager.create_index(Index::create().name("ix_tasks_parent_id").table("tasks").col("parent_id").take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::drop();
        index.name("ix_tasks_parent_id").table("tasks");
        manager.drop_index(index).await?;
        for column in ["orchestrator", "receipt"] {
            manager.alter_table(Table::alter().table("tasks").drop_column(column).take()).await?;
        }
        Ok(())
    }
}
