//! `/clusters`, their attributes, and the assignment of nodes.

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    respond::{Accepted, Answer, Created, List, check_order},
};
use crate::{
    change::{
        Tolerance,
        clusters::{self, ClusterInput, ClusterUpdate},
        membership::{self, Assignment, Unassignment},
    },
    error::Refusal,
    model::{Cluster, Object},
    server::Server,
    store::{self, ClusterFilter},
};
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/clusters", get(list).post(create))
        .route("/clusters/{id}", get(show).put(update).delete(delete))
        .route("/clusters/{id}/attributes", get(attributes).put(set_attributes).patch(patch_attributes))
        .route("/clusters/{id}/assignment", post(assign))
        .route("/clusters/{id}/unassignment", post(unassign))
}

list_query! {
    ClusterQuery {
        name: Option<String>,
    }
}

async fn list(State(server): App, Query(query): Query<ClusterQuery>) -> Answer<List<Cluster>> {
    let page = query.page();
    check_order(&page, store::clusters::can_order)?;
    List::of(store::clusters::list(server.store.reader(), ClusterFilter { name: query.name }, &page).await?)
}

async fn show(State(server): App, Id(id): Id) -> Answer<Json<Cluster>> {
    Ok(Json(find(&server, id).await?))
}

/// The cluster with this id, or 404.
pub(super) async fn find(server: &Server, id: i64) -> Answer<Cluster> {
    let found = store::clusters::find(server.store.reader(), id).await?;
    Ok(found.ok_or_else(|| Refusal::unknown("cluster", id))?)
}

async fn create(State(server): App, Json(input): Json<ClusterInput>) -> Answer<Created<Cluster>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let cluster = clusters::create(&mut tx, input).await?;
    tx.commit().await?;
    Ok(Created(cluster))
}

async fn update(State(server): App, Id(id): Id, Json(wanted): Json<ClusterUpdate>) -> Answer<Json<Cluster>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let cluster = clusters::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(cluster))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Force {
    #[serde(default)]
    force: bool,
}

async fn delete(State(server): App, Id(id): Id, Query(Force { force }): Query<Force>) -> Answer<Accepted> {
    let tolerance = if force { Tolerance::Unstoppable } else { Tolerance::Strict };
    let mut tx = server.change(tolerance).await?;
    let task = clusters::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Accepted(task))
}

async fn attributes(State(server): App, Id(id): Id) -> Answer<Json<Object>> {
    find(&server, id).await?;
    Ok(Json(store::clusters::attributes(server.store.reader(), id).await?))
}

async fn set_attributes(State(server): App, Id(id): Id, Json(wanted): Json<Object>) -> Answer<Json<Object>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let attributes = clusters::set_attributes(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(attributes))
}

async fn patch_attributes(State(server): App, Id(id): Id, Json(patch): Json<Object>) -> Answer<Json<Object>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let attributes = clusters::patch_attributes(&mut tx, id, patch).await?;
    tx.commit().await?;
    Ok(Json(attributes))
}

async fn assign(State(server): App, Id(id): Id, Json(wanted): Json<Vec<Assignment>>) -> Answer<Json<Value>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    membership::assign(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(Value::Null))
}

async fn unassign(State(server): App, Id(id): Id, Json(wanted): Json<Vec<Unassignment>>) -> Answer<Json<Value>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    membership::unassign(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(Value::Null))
}
