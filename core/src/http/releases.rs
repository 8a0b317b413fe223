//! `/releases`

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    respond::{Answer, Created, List, check_order},
};
use crate::{
    change::{
        Tolerance,
        releases::{self, ReleaseInput, ReleaseUpdate},
    },
    error::Refusal,
    model::Release,
    server::Server,
    store,
};
use axum::{Router, extract::State, routing::get};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/releases", get(list).post(create)).route("/releases/{id}", get(show).put(update))
}

list_query! {
    ReleaseQuery {}
}

async fn list(State(server): App, Query(query): Query<ReleaseQuery>) -> Answer<List<Release>> {
    let page = query.page();
    check_order(&page, store::releases::can_order)?;
    List::of(store::releases::list(server.store.reader(), &page).await?)
}

async fn show(State(server): App, Id(id): Id) -> Answer<Json<Release>> {
    let release = store::releases::find(server.store.reader(), id).await?;
    Ok(Json(release.ok_or_else(|| Refusal::unknown("release", id))?))
}

async fn create(State(server): App, Json(input): Json<ReleaseInput>) -> Answer<Created<Release>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let release = releases::create(&mut tx, input).await?;
    tx.commit().await?;
    Ok(Created(release))
}

async fn update(State(server): App, Id(id): Id, Json(wanted): Json<ReleaseUpdate>) -> Answer<Json<Release>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let release = releases::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(release))
}
