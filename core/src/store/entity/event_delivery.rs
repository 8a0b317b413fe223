//! The table `event_deliveries`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_deliveries")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub extension: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub state: String,
    pub attempts: i32,
    pub due: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub error: String,
}

impl ActiveModelBehavior for ActiveModel {}
