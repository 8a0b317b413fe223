//! `/nodes`

use super::{
    App,
    extract::{Id, Ids, Json, Query, empty_is_none, list_query},
    respond::{Answer, Created, List, check_order},
};
use crate::{
    change::{
        Tolerance,
        nodes::{self, Heard, NodeInList},
    },
    error::Refusal,
    model::{Discovery, Node, NodeStatus, NodeUpdate, Task},
    server::Server,
    store::{self, NodeFilter},
};
use axum::{
    Router,
    extract::State,
    routing::{get, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/nodes", get(list).post(create).put(update_all).delete(delete_all))
        .route("/nodes/agent", put(heard_of))
        .route("/nodes/allocation/stats", get(allocation))
        .route("/nodes/{id}", get(show).put(update).delete(delete))
}

list_query! {
    NodeQuery {
        #[serde(deserialize_with = "empty_is_none")]
        cluster_id: Option<Option<i64>>,
        status: Option<NodeStatus>,
        role: Option<String>,
        online: Option<bool>,
    }
}

async fn list(State(server): App, Query(query): Query<NodeQuery>) -> Answer<List<Node>> {
    let page = query.page();
    check_order(&page, store::nodes::can_order)?;
    let filter = NodeFilter { cluster: query.cluster_id, status: query.status, role: query.role, online: query.online };
    List::of(store::nodes::list(server.store.reader(), &server.domain, filter, &page).await?)
}

async fn show(State(server): App, Id(id): Id) -> Answer<Json<Node>> {
    let node = store::nodes::find(server.store.reader(), &server.domain, id).await?;
    Ok(Json(node.ok_or_else(|| Refusal::unknown("node", id))?))
}

async fn create(State(server): App, Json(discovery): Json<Discovery>) -> Answer<Created<Node>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let node = nodes::create(&mut tx, discovery).await?;
    tx.commit().await?;
    Ok(Created(node))
}

async fn heard_of(State(server): App, Json(discovery): Json<Discovery>) -> Answer<Json<Value>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let heard = nodes::heard_of(&mut tx, discovery).await?;
    tx.commit().await?;
    Ok(Json(match heard {
        Heard::Cached(id) => json!({"id": id, "cached": true}),
        Heard::Updated(id) => json!({"id": id}),
    }))
}

async fn update(State(server): App, Id(id): Id, Json(wanted): Json<NodeUpdate>) -> Answer<Json<Node>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let node = nodes::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(node))
}

async fn update_all(State(server): App, Json(wanted): Json<Vec<NodeInList>>) -> Answer<Json<Vec<Node>>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let nodes = nodes::update_all(&mut tx, wanted).await?;
    tx.commit().await?;
    Ok(Json(nodes))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    ids: Ids,
}

async fn delete_all(State(server): App, Query(Which { ids: Ids(ids) }): Query<Which>) -> Answer<Json<Task>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let task = nodes::delete(&mut tx, &ids).await?;
    tx.commit().await?;
    Ok(Json(task))
}

async fn delete(server: App, Id(id): Id) -> Answer<Json<Task>> {
    delete_all(server, Query(Which { ids: Ids(vec![id]) })).await
}

async fn allocation(State(server): App) -> Answer<Json<Value>> {
    let (total, unallocated) = store::nodes::allocation(server.store.reader()).await?;
    Ok(Json(json!({"total": total, "unallocated": unallocated})))
}
