//! `/nodegroups`

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    respond::{Answer, Created, List, check_order},
};
use crate::{
    change::{
        Tolerance,
        groups::{self, GroupInput, GroupUpdate},
    },
    error::Refusal,
    model::NodeGroup,
    server::Server,
    store::{self, GroupFilter},
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/nodegroups", get(list).post(create))
        .route("/nodegroups/{id}", get(show).put(update).delete(delete))
}

list_query! {
    GroupQuery {
        cluster_id: Option<i64>,
    }
}

async fn list(State(server): App, Query(query): Query<GroupQuery>) -> Answer<List<NodeGroup>> {
    let page = query.page();
    check_order(&page, store::groups::can_order)?;
    let filter = GroupFilter { cluster: query.cluster_id };
    List::of(store::groups::list(server.store.reader(), filter, &page).await?)
}

async fn show(State(server): App, Id(id): Id) -> Answer<Json<NodeGroup>> {
    let group = store::groups::find(server.store.reader(), id).await?;
    Ok(Json(group.ok_or_else(|| Refusal::unknown("node group", id))?))
}

async fn create(State(server): App, Json(input): Json<GroupInput>) -> Answer<Created<NodeGroup>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let group = groups::create(&mut tx, input).await?;
    tx.commit().await?;
    Ok(Created(group))
}

async fn update(State(server): App, Id(id): Id, Json(wanted): Json<GroupUpdate>) -> Answer<Json<NodeGroup>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let group = groups::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(group))
}

async fn delete(State(server): App, Id(id): Id) -> Answer<StatusCode> {
    let mut tx = server.change(Tolerance::Strict).await?;
    groups::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
