//! The table `clusters`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "clusters")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(unique)]
    pub name: String,
    pub status: String,
    pub release_id: i64,
    pub orchestrator: String,
    pub is_customized: bool,
    #[sea_orm(column_type = "JsonBinary")]
    pub extensions: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub changes: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub attributes: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub replaced_deployment_info: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub replaced_provisioning_info: Json,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
