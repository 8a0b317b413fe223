//! Releases, and the one that is there from the start.

use crate::column;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("releases")
                    .col(column::id())
                    .col(column::text("name"))
                    .col(column::text("version"))
                    .col(column::text("description"))
                    .col(column::text("operating_system"))
                    .col(column::text("state"))
                    .col(column::json("roles"))
                    .col(column::json("extensions"))
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("ux_releases_name_version")
                    .table("releases")
                    .col("name")
                    .col("version")
                    .unique()
                    .take(),
            )
            .await?;
        let insert = Query::insert()
            .into_table("releases")
            .columns(["name", "version", "description", "operating_system", "state", "roles", "extensions"])
            .values_panic([
                "default".into(),
                "1".into(),
                "A release without opinions: any role, no extension enabled".into(),
                "".into(),
                "available".into(),
                sea_orm::JsonValue::Array(Vec::new()).into(),
                sea_orm::JsonValue::Array(Vec::new()).into(),
            ])
            .to_owned();
        manager.execute(insert).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("releases").take()).await
    }
}
