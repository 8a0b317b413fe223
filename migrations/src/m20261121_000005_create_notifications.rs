//! Notifications: what people should know although nobody asked.

use crate::{column, optional};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("notifications")
                    .col(column::id())
                    .col(column::text("topic"))
                    .col(column::text("message"))
                    .col(column::text("status"))
                    .col(column::time("time"))
                    .col(optional(column::reference("cluster_id")))
                    .col(optional(column::reference("node_id")))
                    .col(optional(column::reference("task_id")))
                    .col(optional(column::text("extension")))
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("notifications").take()).await
    }
}
