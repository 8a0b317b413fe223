//! The table `notifications`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "notifications")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub topic: String,
    pub message: String,
    pub status: String,
    pub time: DateTimeUtc,
    pub cluster_id: Option<i64>,
    pub node_id: Option<i64>,
    pub task_id: Option<i64>,
    pub extension: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
