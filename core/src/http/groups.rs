//! `/nodegroups`

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    openapi::Resource,
    respond::{Answer, Created, List, NoContent, check_order},
};
use crate::{
    change::{
        Tolerance,
        groups::{self, GroupInput, GroupUpdate},
    },
    error::Refusal,
    model::NodeGroup,
    store::{self, GroupFilter},
};
use axum::extract::State;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("nodegroups", "Nodes of a cluster that share something, such as a rack or a network.")
        .routes(routes!(list, create))
        .routes(routes!(show, update, delete))
}

list_query! {
    GroupQuery {
        /// Only groups of this cluster.
        cluster_id: Option<i64>,
    }
}

/// Lists node groups.
#[utoipa::path(get, path = "/nodegroups", params(GroupQuery))]
async fn list(State(server): App, Query(query): Query<GroupQuery>) -> Answer<List<NodeGroup>> {
    let page = query.page();
    check_order(&page, store::groups::can_order)?;
    let filter = GroupFilter { cluster: query.cluster_id };
    List::of(store::groups::list(server.store.reader(), filter, &page).await?)
}

/// Shows a node group.
#[utoipa::path(get, path = "/nodegroups/{id}")]
async fn show(State(server): App, Id(id): Id) -> Answer<Json<NodeGroup>> {
    let group = store::groups::find(server.store.reader(), id).await?;
    Ok(Json(group.ok_or_else(|| Refusal::unknown("node group", id))?))
}

/// Makes a node group.
#[utoipa::path(post, path = "/nodegroups", responses(
    (status = 403, description = "Its cluster has a node group of this name."),
    (status = 404, description = "There is no such cluster."),
))]
async fn create(State(server): App, Json(input): Json<GroupInput>) -> Answer<Created<NodeGroup>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let group = groups::create(&mut tx, input).await?;
    tx.commit().await?;
    Ok(Created(group))
}

/// Renames a node group.
#[utoipa::path(put, path = "/nodegroups/{id}", responses(
    (status = 403, description = "Its cluster has a node group of this name."),
))]
async fn update(State(server): App, Id(id): Id, Json(wanted): Json<GroupUpdate>) -> Answer<Json<NodeGroup>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let group = groups::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(group))
}

/// Deletes a node group; its nodes join the default group of the cluster, which cannot be deleted.
#[utoipa::path(delete, path = "/nodegroups/{id}")]
async fn delete(State(server): App, Id(id): Id) -> Answer<NoContent> {
    let mut tx = server.change(Tolerance::Strict).await?;
    groups::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(NoContent)
}
