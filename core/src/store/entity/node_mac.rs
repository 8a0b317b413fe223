//! The table `node_macs`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "node_macs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub mac: String,
    pub node_id: i64,
}

impl ActiveModelBehavior for ActiveModel {}
