//! `/clusters`, their attributes, and the assignment of nodes.

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    openapi::Resource,
    respond::{Accepted, Answer, Created, List, Null, check_order},
};
use crate::{
    change::{
        Tolerance,
        clusters::{self, ClusterInput, ClusterUpdate},
        membership::{self, Assignment, Unassignment},
    },
    deploy,
    error::Refusal,
    model::{Cluster, Object},
    server::Server,
    store::{self, ClusterFilter},
};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("clusters", "Nodes that are deployed together.")
        .routes(routes!(list, create))
        .routes(routes!(show, update, delete))
        .routes(routes!(attributes, set_attributes, patch_attributes))
        .routes(routes!(assign))
        .routes(routes!(unassign))
}

list_query! {
    ClusterQuery {
        /// Only the cluster of this name.
        name: Option<String>,
    }
}

/// Lists clusters.
#[utoipa::path(get, path = "/clusters", params(ClusterQuery))]
async fn list(State(server): App, Query(query): Query<ClusterQuery>) -> Answer<List<Cluster>> {
    let page = query.page();
    check_order(&page, store::clusters::can_order)?;
    List::of(store::clusters::list(server.store.reader(), ClusterFilter { name: query.name }, &page).await?)
}

/// Shows a cluster.
#[utoipa::path(get, path = "/clusters/{id}")]
async fn show(State(server): App, Id(id): Id) -> Answer<Json<Cluster>> {
    Ok(Json(find(&server, id).await?))
}

/// The cluster with this id, or 404.
pub(super) async fn find(server: &Server, id: i64) -> Answer<Cluster> {
    let found = store::clusters::find(server.store.reader(), id).await?;
    Ok(found.ok_or_else(|| Refusal::unknown("cluster", id))?)
}

/// Makes a cluster.
#[utoipa::path(post, path = "/clusters", responses(
    (status = 404, description = "There is no such release or node."),
    (status = 409, description = "Its name is taken, its release makes no clusters, or a node is in another cluster."),
))]
async fn create(State(server): App, Json(input): Json<ClusterInput>) -> Answer<Created<Cluster>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let cluster = clusters::create(&mut tx, input).await?;
    tx.commit().await?;
    Ok(Created(cluster))
}

/// Changes a cluster.
#[utoipa::path(put, path = "/clusters/{id}", responses(
    (status = 409, description = "Its name is taken, or a node is in another cluster."),
))]
async fn update(State(server): App, Id(id): Id, Json(wanted): Json<ClusterUpdate>) -> Answer<Json<Cluster>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let cluster = clusters::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(cluster))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Force {
    /// Whether it is deleted even if an extension refuses or fails, and without asking its orchestrator: what is on the
    /// machines stays there.
    #[serde(default)]
    force: bool,
}

/// Deletes a cluster. Its orchestrator removes those of its nodes that anything was done to; the others are free again.
#[utoipa::path(delete, path = "/clusters/{id}", params(Force), responses(
    (status = 409, description = "A task works on it."),
))]
async fn delete(State(server): App, Id(id): Id, Query(Force { force }): Query<Force>) -> Answer<Accepted> {
    Ok(Accepted(deploy::delete_cluster(&server, id, force).await?))
}

/// What the deployment data of a cluster are made of.
#[derive(Serialize, ToSchema)]
struct Attributes(Object);

/// Shows the attributes of a cluster.
#[utoipa::path(get, path = "/clusters/{id}/attributes")]
async fn attributes(State(server): App, Id(id): Id) -> Answer<Json<Attributes>> {
    find(&server, id).await?;
    Ok(Json(Attributes(store::clusters::attributes(server.store.reader(), id).await?)))
}

/// Replaces the attributes of a cluster.
#[utoipa::path(put, path = "/clusters/{id}/attributes")]
async fn set_attributes(State(server): App, Id(id): Id, Json(wanted): Json<Object>) -> Answer<Json<Attributes>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let attributes = clusters::set_attributes(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(Attributes(attributes)))
}

/// Changes the attributes of a cluster by a JSON merge patch (RFC 7396).
#[utoipa::path(patch, path = "/clusters/{id}/attributes")]
async fn patch_attributes(State(server): App, Id(id): Id, Json(patch): Json<Object>) -> Answer<Json<Attributes>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let attributes = clusters::patch_attributes(&mut tx, id, patch).await?;
    tx.commit().await?;
    Ok(Json(Attributes(attributes)))
}

/// Puts nodes into a cluster, or gives those that are in it other pending roles.
#[utoipa::path(post, path = "/clusters/{id}/assignment", responses(
    (status = 409, description = "A node is in another cluster, or its host name is taken."),
))]
async fn assign(State(server): App, Id(id): Id, Json(wanted): Json<Vec<Assignment>>) -> Answer<Null> {
    let mut tx = server.change(Tolerance::Strict).await?;
    membership::assign(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Null)
}

/// Takes nodes out of a cluster: one that nothing was done to leaves at once, another is marked to be removed.
#[utoipa::path(post, path = "/clusters/{id}/unassignment")]
async fn unassign(State(server): App, Id(id): Id, Json(wanted): Json<Vec<Unassignment>>) -> Answer<Null> {
    let mut tx = server.change(Tolerance::Strict).await?;
    membership::unassign(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Null)
}
