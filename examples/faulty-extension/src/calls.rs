//! The calls of its hooks, one row each: what is there was committed.

use rivetgun::prelude::{
    Json, // and not the column type of that name
    sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*},
    *,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "faulty_calls")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub hook: String,
    pub names: String,
}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) async fn record(db: &Db, hook: &str, names: &[String]) -> Result<()> {
    let call = ActiveModel { hook: Set(hook.to_owned()), names: Set(names.join(", ")), ..Default::default() };
    call.insert(db).await?;
    Ok(())
}

/// Each call as `[hook, names]`, in the order of the calls.
pub(crate) async fn list(cx: ExtensionContext) -> Result<Json<Vec<(String, String)>>> {
    let calls = Entity::find().order_by_asc(Column::Id).all(cx.db()).await?;
    Ok(Json(calls.into_iter().map(|call| (call.hook, call.names)).collect()))
}
