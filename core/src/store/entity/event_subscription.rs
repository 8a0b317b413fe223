//! The table `event_subscriptions`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_subscriptions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub extension: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub position: i64,
    pub owner: Option<Uuid>,
    pub owned_until: i64,
    pub epoch: i64,
    pub seen: i64,
}

impl ActiveModelBehavior for ActiveModel {}
