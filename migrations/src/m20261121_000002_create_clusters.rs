//! Clusters, with what a person stored in place of generated data.

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
                    .table("clusters")
                    .col(column::id())
                    .col(column::text("name").unique_key().take())
                    .col(column::text("status"))
                    .col(column::reference("release_id"))
                    .col(column::text("orchestrator"))
                    .col(column::flag("is_customized"))
                    .col(column::json("extensions"))
                    .col(column::json("changes"))
                    .col(column::json("attributes"))
                    .col(column::json("replaced_deployment_info"))
                    .col(column::json("replaced_provisioning_info"))
                    .col(column::time("created_at"))
                    .foreign_key(&mut foreign_key("clusters", "release_id", "releases", ForeignKeyAction::Restrict))
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("clusters").take()).await
    }
}
