//! The entries of the log: the table, and the URLs that read it.

use crate::AdditionalLogger;
use rivetgun::prelude::{
    Json, // and not the column type of that name
    sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*},
    *,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "additional_logger_entries")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub node_id: Option<i64>,
    pub cluster_id: Option<i64>,
    pub event: String,
    pub time: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// What an entry is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    Node(i64),
    Cluster(i64),
}

/// Writes an entry in the transaction of the change that it tells of.
pub(crate) async fn record(cx: &HookContext<'_>, subject: Subject, event: &str) -> Result<()> {
    tracing::debug!(?subject, event, "logged");
    let (node_id, cluster_id) = match subject {
        Subject::Node(id) => (Some(id), None),
        Subject::Cluster(id) => (None, Some(id)),
    };
    let entry = ActiveModel {
        node_id: Set(node_id),
        cluster_id: Set(cluster_id),
        event: Set(event.to_owned()),
        time: Set(cx.now()),
        ..Default::default()
    };
    entry.insert(cx.db()).await?;
    Ok(())
}

/// The latest entries of a node, oldest first. A node that is deleted keeps its entries.
pub(crate) async fn of_node(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<Json<Vec<Model>>> {
    latest(&cx, Column::NodeId, node_id).await
}

/// The latest entries of a cluster, oldest first.
pub(crate) async fn of_cluster(cx: ExtensionContext, Path(cluster_id): Path<i64>) -> Result<Json<Vec<Model>>> {
    latest(&cx, Column::ClusterId, cluster_id).await
}

/// Forgets the entries of a node.
pub(crate) async fn forget_node(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<StatusCode> {
    let tx = cx.transaction().await?;
    Entity::delete_many().filter(Column::NodeId.eq(node_id)).exec(&*tx).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn latest(cx: &ExtensionContext, column: Column, id: i64) -> Result<Json<Vec<Model>>> {
    let of_subject = Entity::find().filter(column.eq(id)).order_by_desc(Column::Id);
    let mut entries = of_subject.limit(cx.settings::<AdditionalLogger>().page_size).all(cx.db()).await?;
    entries.reverse();
    Ok(Json(entries))
}
