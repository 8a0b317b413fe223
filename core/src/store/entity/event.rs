//! The table `events`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub sequence: i64,
    pub time: DateTimeUtc,
    pub r#type: String,
    pub action: String,
    pub key: String,
    pub principal: String,
    #[sea_orm(column_type = "Text")]
    pub object: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub original: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
