//! What tasks sent to their orchestrators, as it was sent: one document that all nodes share, and one for each node.

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
                    .table("sent_documents")
                    .col(column::id())
                    .col(column::reference("task_id"))
                    // Empty for the document that all nodes share; a bare id, since the document outlives its node.
                    .col(optional(column::reference("node_id")))
                    .col(column::text("sha256"))
                    // Text and not JSON: the hash is that of these very bytes.
                    .col(column::text("document"))
                    .foreign_key(&mut foreign_key("sent_documents", "task_id", "tasks", ForeignKeyAction::Cascade))
                    .take(),
            )
            .await?;
        let index = Index::create().name("ix_sent_documents_task_id").table("sent_documents").col("task_id").take();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("sent_documents").take()).await
    }
}
