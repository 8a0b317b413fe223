//! `/releases`

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    openapi::Resource,
    respond::{Answer, Created, List, check_order},
};
use crate::{
    change::{
        Tolerance,
        releases::{self, ReleaseInput, ReleaseUpdate},
    },
    error::Refusal,
    model::Release,
    store,
};
use axum::extract::State;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("releases", "What clusters are made of.").routes(routes!(list, create)).routes(routes!(show, update))
}

list_query! {
    ReleaseQuery {}
}

/// Lists releases.
#[utoipa::path(get, path = "/releases", params(ReleaseQuery))]
async fn list(State(server): App, Query(query): Query<ReleaseQuery>) -> Answer<List<Release>> {
    let page = query.page();
    check_order(&page, store::releases::can_order)?;
    List::of(store::releases::list(server.store.reader(), &page).await?)
}

/// Shows a release.
#[utoipa::path(get, path = "/releases/{id}")]
async fn show(State(server): App, Id(id): Id) -> Answer<Json<Release>> {
    let release = store::releases::find(server.store.reader(), id).await?;
    Ok(Json(release.ok_or_else(|| Refusal::unknown("release", id))?))
}

/// Makes a release.
#[utoipa::path(post, path = "/releases", responses(
    (status = 409, description = "There is a release of this name and version."),
))]
async fn create(State(server): App, Json(input): Json<ReleaseInput>) -> Answer<Created<Release>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let release = releases::create(&mut tx, input).await?;
    tx.commit().await?;
    Ok(Created(release))
}

/// Changes a release.
#[utoipa::path(put, path = "/releases/{id}", responses(
    (status = 409, description = "There is a release of this name and version."),
))]
async fn update(State(server): App, Id(id): Id, Json(wanted): Json<ReleaseUpdate>) -> Answer<Json<Release>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let release = releases::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(release))
}
