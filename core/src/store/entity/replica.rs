//! The table `replicas`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replicas")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub server_id: Uuid,
    pub seen: i64,
    #[sea_orm(column_type = "Text")]
    pub delivers: String,
}

impl ActiveModelBehavior for ActiveModel {}
