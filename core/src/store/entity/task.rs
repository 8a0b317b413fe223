//! The table `tasks`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(unique)]
    pub uuid: Uuid,
    pub cluster_id: Option<i64>,
    pub name: String,
    pub status: String,
    pub progress: i32,
    pub message: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub result: Json,
    pub parent_id: Option<i64>,
    pub extension: Option<String>,
    pub dry_run: bool,
    pub server_id: Uuid,
    pub orchestrator: String,
    pub receipt: Option<String>,
    pub time_start: DateTimeUtc,
    pub time_end: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
