//! What the overlays of a cluster may change: the table, and the URLs that change it.

use crate::rule::Rule;
use rivetgun::prelude::{
    Json, // and not the column type of that name
    sea_orm::{ActiveValue::Set, IntoActiveModel, QueryOrder, QuerySelect, Select, entity::prelude::*},
    *,
};
use serde::{Deserialize, Serialize};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize)]
#[sea_orm(table_name = "config_overlay_whitelist")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The id of the cluster, under the name that it has in Nailgun's API.
    pub env_id: i64,
    pub rule: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// What people say of a rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    rule: String,
}

/// The rules of a cluster, in the order of their ids.
pub(crate) async fn list(cx: ExtensionContext, Path(cluster): Path<i64>) -> Result<Json<Vec<Model>>> {
    cx.model().cluster(cluster).await?.ok_or_else(|| no_cluster(cluster))?;
    Ok(Json(of_cluster(cx.db(), cluster).await?))
}

/// One rule.
pub(crate) async fn show(cx: ExtensionContext, Path((cluster, id)): Path<(i64, i64)>) -> Result<Json<Model>> {
    Ok(Json(one(cluster, id).one(cx.db()).await?.ok_or_else(|| missing(cluster, id))?))
}

/// Adds a rule.
pub(crate) async fn create(
    cx: ExtensionContext,
    Path(cluster): Path<i64>,
    Json(entry): Json<Entry>,
) -> Result<(StatusCode, Json<Model>)> {
    entry.check()?;
    let tx = cx.transaction().await?;
    tx.lock_cluster(cluster).await?.ok_or_else(|| no_cluster(cluster))?;
    refuse_twice(&tx, cluster, &entry.rule, None).await?;
    let row = ActiveModel { env_id: Set(cluster), rule: Set(entry.rule), ..Default::default() };
    let row = row.insert(&*tx).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(row)))
}

/// Replaces a rule.
pub(crate) async fn replace(
    cx: ExtensionContext,
    Path((cluster, id)): Path<(i64, i64)>,
    Json(entry): Json<Entry>,
) -> Result<Json<Model>> {
    entry.check()?;
    let tx = cx.transaction().await?;
    // Locked, since it goes with its cluster, which may be just now.
    let row = one(cluster, id).lock_exclusive().one(&*tx).await?.ok_or_else(|| missing(cluster, id))?;
    refuse_twice(&tx, cluster, &entry.rule, Some(id)).await?;
    let mut row = row.into_active_model();
    row.rule = Set(entry.rule);
    let row = row.update(&*tx).await?;
    tx.commit().await?;
    Ok(Json(row))
}

/// Takes a rule back.
pub(crate) async fn delete(cx: ExtensionContext, Path((cluster, id)): Path<(i64, i64)>) -> Result<StatusCode> {
    let tx = cx.transaction().await?;
    let of_cluster = Entity::delete_many().filter(Column::Id.eq(id)).filter(Column::EnvId.eq(cluster));
    let deleted = of_cluster.exec(&*tx).await?;
    tx.commit().await?;
    if deleted.rows_affected == 0 { Err(missing(cluster, id)) } else { Ok(StatusCode::NO_CONTENT) }
}

/// The rules of a cluster, in the order of their ids.
pub(crate) async fn of_cluster(db: &Db, cluster: i64) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::EnvId.eq(cluster)).order_by_asc(Column::Id).all(db).await?)
}

/// Forgets the rules of a cluster that goes.
pub(crate) async fn forget(db: &Db, cluster: i64) -> Result<()> {
    Entity::delete_many().filter(Column::EnvId.eq(cluster)).exec(db).await?;
    Ok(())
}

fn one(cluster: i64, id: i64) -> Select<Entity> {
    Entity::find_by_id(id).filter(Column::EnvId.eq(cluster))
}

/// A rule stands once for a cluster; the row `own` may keep it.
async fn refuse_twice(db: &Db, cluster: i64, rule: &str, own: Option<i64>) -> Result<()> {
    let same = Entity::find().filter(Column::EnvId.eq(cluster)).filter(Column::Rule.eq(rule)).one(db).await?;
    match same {
        Some(other) if Some(other.id) != own => {
            Err(Error::conflict(format!("rule {} of cluster {cluster} is '{rule}' already", other.id)))
        }
        _ => Ok(()),
    }
}

fn no_cluster(cluster: i64) -> Error {
    Error::not_found(format!("cluster {cluster} does not exist"))
}

fn missing(cluster: i64, id: i64) -> Error {
    Error::not_found(format!("cluster {cluster} has no rule {id}"))
}

impl Entry {
    fn check(&self) -> Result<()> {
        match Rule::parse(&self.rule) {
            Some(_) => Ok(()),
            None => Err(Error::mistakes([(
                "/rule",
                "a rule is a JSON Pointer, in which `*` stands for any one key, as in `/storage/*/size`",
            )])),
        }
    }
}
