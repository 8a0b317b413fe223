//! The table `nodes`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "nodes")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(unique)]
    pub uuid: Uuid,
    #[sea_orm(unique)]
    pub mac: String,
    pub ip: Option<String>,
    pub name: String,
    pub hostname: String,
    pub status: String,
    pub progress: i32,
    pub online: bool,
    pub timestamp: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub roles: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub pending_roles: Json,
    pub pending_addition: bool,
    pub pending_deletion: bool,
    pub cluster_id: Option<i64>,
    pub group_id: Option<i64>,
    pub os_platform: Option<String>,
    pub manufacturer: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub meta: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub labels: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub attributes: Json,
    pub error_type: Option<String>,
    pub error_msg: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub extensions: Json,
    pub agent_checksum: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub replaced_deployment_info: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub replaced_provisioning_info: Option<Json>,
}

impl ActiveModelBehavior for ActiveModel {}
