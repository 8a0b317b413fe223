//! The table `task_nodes`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_nodes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub node_id: i64,
    pub status: String,
    pub progress: i32,
    pub message: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub roles: Json,
}

impl ActiveModelBehavior for ActiveModel {}
