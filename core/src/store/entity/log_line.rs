//! The table `task_log_lines`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_log_lines")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub task_id: i64,
    pub node_id: Option<i64>,
    pub time: DateTimeUtc,
    pub stream: String,
    pub line: String,
}

impl ActiveModelBehavior for ActiveModel {}
