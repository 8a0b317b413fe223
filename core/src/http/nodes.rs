//! `/nodes`

use super::{
    App,
    extract::{Id, Ids, Json, Query, empty_is_none, list_query},
    openapi::Resource,
    respond::{Answer, Created, List, Removal, Whole, check_order},
};
use crate::{
    change::{
        Tolerance,
        nodes::{self, Heard, NodeInList},
    },
    deploy,
    error::Refusal,
    model::{Discovery, Node, NodeStatus, NodeUpdate},
    store::{self, NodeFilter},
};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("nodes", "Machines, from their discovery to their removal.")
        .routes(routes!(list, create, update_all, delete_all))
        .routes(routes!(heard_of))
        .routes(routes!(allocation))
        .routes(routes!(show, update, delete))
}

list_query! {
    NodeQuery {
        /// Only nodes of this cluster; empty: of none.
        #[serde(deserialize_with = "empty_is_none")]
        #[param(value_type = Option<i64>)]
        cluster_id: Option<Option<i64>>,
        /// Only nodes in this status.
        status: Option<NodeStatus>,
        /// Only nodes that have or are about to get this role.
        role: Option<String>,
        /// Only nodes whose agent is heard of, or only the others.
        online: Option<bool>,
    }
}

/// Lists nodes.
#[utoipa::path(get, path = "/nodes", params(NodeQuery))]
async fn list(State(server): App, Query(query): Query<NodeQuery>) -> Answer<List<Node>> {
    let page = query.page();
    check_order(&page, store::nodes::can_order)?;
    let filter = NodeFilter { cluster: query.cluster_id, status: query.status, role: query.role, online: query.online };
    List::of(store::nodes::list(server.store.reader(), &server.domain, filter, &page).await?)
}

/// Shows a node.
#[utoipa::path(get, path = "/nodes/{id}")]
async fn show(State(server): App, Id(id): Id) -> Answer<Json<Node>> {
    let node = store::nodes::find(server.store.reader(), &server.domain, id).await?;
    Ok(Json(node.ok_or_else(|| Refusal::unknown("node", id))?))
}

/// Registers a node that reports for the first time.
#[utoipa::path(post, path = "/nodes", responses(
    (status = 403, description = "Its status is not `discover`."),
    (status = 409, description = "A node with its mac, or with that of one of its interfaces, is known."),
))]
async fn create(State(server): App, Json(discovery): Json<Discovery>) -> Answer<Created<Node>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let node = nodes::create(&mut tx, discovery).await?;
    tx.commit().await?;
    Ok(Created(node))
}

/// The node whose agent reported.
#[derive(Serialize, ToSchema)]
struct Recognised {
    /// Its id.
    id: i64,
    /// True when the report was the one before, so that nothing but the time was taken of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cached: Option<bool>,
}

/// Takes the report of the agent of a known node, found by mac, by the mac of an interface, or by id.
#[utoipa::path(put, path = "/nodes/agent", responses(
    (status = 404, description = "No such node is known."),
))]
async fn heard_of(State(server): App, Json(discovery): Json<Discovery>) -> Answer<Json<Recognised>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let heard = nodes::heard_of(&mut tx, discovery).await?;
    tx.commit().await?;
    Ok(Json(match heard {
        Heard::Cached(id) => Recognised { id, cached: Some(true) },
        Heard::Updated(id) => Recognised { id, cached: None },
    }))
}

/// Changes a node.
#[utoipa::path(put, path = "/nodes/{id}", responses(
    (status = 403, description = "Its host name is fixed, since provisioning has begun."),
    (status = 409, description = "Another node of its cluster has this host name."),
))]
async fn update(State(server): App, Id(id): Id, Json(wanted): Json<NodeUpdate>) -> Answer<Json<Node>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let node = nodes::update(&mut tx, id, wanted).await?;
    tx.commit().await?;
    Ok(Json(node))
}

/// Changes several nodes: all of them, or none.
#[utoipa::path(put, path = "/nodes", responses(
    (status = 403, description = "A host name is fixed, since provisioning has begun."),
    (status = 404, description = "One of the nodes is unknown."),
    (status = 409, description = "Another node of its cluster has this host name."),
))]
async fn update_all(State(server): App, Json(wanted): Json<Vec<NodeInList>>) -> Answer<Whole<Node>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let nodes = nodes::update_all(&mut tx, wanted).await?;
    tx.commit().await?;
    Ok(Whole(nodes))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The ids of the nodes, with commas between them.
    #[param(value_type = Vec<i64>, style = Form, explode = false)]
    ids: Ids,
}

/// Deletes several nodes: all of them, or none.
#[utoipa::path(delete, path = "/nodes", params(Which), responses(
    (status = 403, description = "A task works on one of them."),
    (status = 404, description = "One of the nodes is unknown."),
))]
async fn delete_all(State(server): App, Query(Which { ids: Ids(ids) }): Query<Which>) -> Answer<Removal> {
    Ok(Removal(deploy::delete_nodes(&server, &ids).await?))
}

/// Deletes a node.
#[utoipa::path(delete, path = "/nodes/{id}", responses(
    (status = 403, description = "A task works on it."),
))]
async fn delete(server: App, Id(id): Id) -> Answer<Removal> {
    delete_all(server, Query(Which { ids: Ids(vec![id]) })).await
}

/// How many nodes are in no cluster.
#[derive(Serialize, ToSchema)]
struct Allocation {
    /// How many nodes there are.
    total: u64,
    /// How many of them are in no cluster.
    unallocated: u64,
}

/// Counts nodes.
#[utoipa::path(get, path = "/nodes/allocation/stats")]
async fn allocation(State(server): App) -> Answer<Json<Allocation>> {
    let (total, unallocated) = store::nodes::allocation(server.store.reader()).await?;
    Ok(Json(Allocation { total, unallocated }))
}
