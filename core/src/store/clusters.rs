//! Queries of clusters, their attributes, and what people stored in place of generated data.

use super::{Listed, Page, WriteTx, entity::cluster, object, stored, texts};
use crate::{
    deploy::DataKind,
    model::{Cluster, ClusterStatus, Object, Subject},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use serde_json::Value;

/// Which clusters are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterFilter {
    pub(crate) name: Option<String>,
}

/// What is decided about a cluster before it is inserted.
#[derive(Debug)]
pub(crate) struct NewCluster {
    pub(crate) name: String,
    pub(crate) release: i64,
    pub(crate) orchestrator: String,
    pub(crate) extensions: Vec<String>,
    pub(crate) attributes: Object,
    pub(crate) created_at: DateTime<Utc>,
}

pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    filter: ClusterFilter,
    page: &Page,
) -> Result<Listed<Cluster>, DbErr> {
    let mut select = cluster::Entity::find();
    if let Some(name) = filter.name {
        select = select.filter(cluster::Column::Name.eq(name));
    }
    page.of(select, cluster::Column::Id, connection).await?.try_map(from_row)
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<cluster::Entity>()
}

pub(crate) async fn find(connection: &impl ConnectionTrait, id: i64) -> Result<Option<Cluster>, DbErr> {
    cluster::Entity::find_by_id(id).one(connection).await?.map(from_row).transpose()
}

/// Reads a cluster and keeps others from changing it until the transaction ends.
pub(crate) async fn find_locked(connection: &impl ConnectionTrait, id: i64) -> Result<Option<Cluster>, DbErr> {
    cluster::Entity::find_by_id(id).lock_exclusive().one(connection).await?.map(from_row).transpose()
}

pub(crate) async fn find_named(connection: &impl ConnectionTrait, name: &str) -> Result<Option<Cluster>, DbErr> {
    let named = cluster::Entity::find().filter(cluster::Column::Name.eq(name));
    named.one(connection).await?.map(from_row).transpose()
}

/// The ids and extension lists of all clusters.
pub(crate) async fn enabled_extensions(connection: &impl ConnectionTrait) -> Result<Vec<(i64, Vec<String>)>, DbErr> {
    let rows: Vec<(i64, Value)> = cluster::Entity::find()
        .select_only()
        .column(cluster::Column::Id)
        .column(cluster::Column::Extensions)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, names)| (id, texts(&names))).collect())
}

pub(crate) async fn insert(tx: &WriteTx, new: NewCluster) -> Result<Cluster, DbErr> {
    let row = cluster::ActiveModel {
        id: NotSet,
        name: Set(new.name),
        status: Set(ClusterStatus::New.to_string()),
        release_id: Set(new.release),
        orchestrator: Set(new.orchestrator),
        is_customized: Set(false),
        extensions: Set(new.extensions.into()),
        changes: Set(serde_json::json!(["attributes"])),
        attributes: Set(Value::Object(new.attributes)),
        replaced_deployment_info: Set(Value::Object(Object::new())),
        replaced_provisioning_info: Set(Value::Object(Object::new())),
        created_at: Set(new.created_at),
    };
    let cluster = from_row(row.insert(tx).await?)?;
    tx.journal.created(&cluster);
    Ok(cluster)
}

/// Writes what may change of a cluster itself; attributes and customisation have functions of their own.
pub(crate) async fn update(tx: &WriteTx, before: &Cluster, cluster: &Cluster) -> Result<(), DbErr> {
    tx.journal.updated(before, cluster);
    let row = cluster::ActiveModel {
        id: Unchanged(cluster.id),
        name: Set(cluster.name.clone()),
        status: Set(cluster.status.to_string()),
        release_id: Set(cluster.release),
        orchestrator: Set(cluster.orchestrator.clone()),
        is_customized: Set(cluster.is_customized),
        extensions: Set(cluster.extensions.clone().into()),
        changes: Set(cluster.changes.clone().into()),
        ..Default::default()
    };
    row.update(tx).await.map(drop)
}

pub(crate) async fn delete(tx: &WriteTx, cluster: &Cluster) -> Result<(), DbErr> {
    tx.journal.deleted(cluster);
    cluster::Entity::delete_by_id(cluster.id).exec(tx).await.map(drop)
}

pub(crate) async fn attributes(connection: &impl ConnectionTrait, id: i64) -> Result<Object, DbErr> {
    json_column(connection, id, cluster::Column::Attributes).await
}

pub(crate) async fn set_attributes(tx: &WriteTx, id: i64, before: &Object, attributes: Object) -> Result<(), DbErr> {
    tx.journal.tell(Cluster::TYPE, "attributes", id.to_string(), &attributes, Some(before));
    set_json_column(tx, id, cluster::Column::Attributes, attributes).await
}

/// What a person laid over the common part of the data of one kind.
pub(crate) async fn replaced_info(connection: &impl ConnectionTrait, id: i64, kind: DataKind) -> Result<Object, DbErr> {
    json_column(connection, id, replaced_column(kind)).await
}

pub(crate) async fn set_replaced_info(
    connection: &impl ConnectionTrait,
    id: i64,
    kind: DataKind,
    common: Object,
) -> Result<(), DbErr> {
    set_json_column(connection, id, replaced_column(kind), common).await
}

fn replaced_column(kind: DataKind) -> cluster::Column {
    match kind {
        DataKind::Deployment => cluster::Column::ReplacedDeploymentInfo,
        DataKind::Provisioning => cluster::Column::ReplacedProvisioningInfo,
    }
}

async fn json_column(connection: &impl ConnectionTrait, id: i64, column: cluster::Column) -> Result<Object, DbErr> {
    let found: Option<Value> =
        cluster::Entity::find_by_id(id).select_only().column(column).into_tuple().one(connection).await?;
    Ok(found.map(object).unwrap_or_default())
}

async fn set_json_column(
    connection: &impl ConnectionTrait,
    id: i64,
    column: cluster::Column,
    value: Object,
) -> Result<(), DbErr> {
    cluster::Entity::update_many()
        .col_expr(column, Expr::value(Value::Object(value)))
        .filter(cluster::Column::Id.eq(id))
        .exec(connection)
        .await
        .map(drop)
}

fn from_row(row: cluster::Model) -> Result<Cluster, DbErr> {
    Ok(Cluster {
        id: row.id,
        name: row.name,
        status: stored(row.status.parse::<ClusterStatus>())?,
        release: row.release_id,
        orchestrator: row.orchestrator,
        is_customized: row.is_customized,
        extensions: texts(&row.extensions),
        changes: texts(&row.changes),
        created_at: row.created_at,
    })
}
