//! Work on the nodes of a cluster, and the tasks that it is done in.

use super::{
    App,
    extract::{Id, Ids, Json, Query, list_query},
    log,
    openapi::Resource,
    respond::{Accepted, Answer, List, NoContent, check_order},
};
use crate::{
    change::Tolerance,
    deploy::{self, DataKind, Selection, Wanted, WorkRequest},
    error::Refusal,
    model::{SentDocument, Task, TaskStatus},
    server::Server,
    store::{self, TaskFilter},
};
use axum::extract::State;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("work", "Work on the nodes of a cluster, and the tasks that it is done in.")
        .routes(routes!(provision))
        .routes(routes!(deploy))
        .routes(routes!(changes))
        .routes(routes!(stop))
        .routes(routes!(reset))
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(log::log))
        .routes(routes!(deployment_info))
        .routes(routes!(provisioning_info))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
struct ProvisionQuery {
    /// The ids of the nodes, with commas between them; when absent, all that are to be provisioned.
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false)]
    nodes: Option<Ids>,
}

/// Gives nodes of a cluster an operating system.
#[utoipa::path(put, path = "/clusters/{id}/provision", params(ProvisionQuery), responses(
    (status = 409, description = "A task works on the cluster."),
))]
async fn provision(State(server): App, Id(id): Id, Query(query): Query<ProvisionQuery>) -> Answer<Accepted> {
    request(&server, id, Wanted::Provision(selection(query.nodes))).await
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
struct DeployQuery {
    /// The ids of the nodes, with commas between them; when absent, all that are to be deployed.
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false)]
    nodes: Option<Ids>,
    /// Does everything but the dispatch.
    dry_run: bool,
}

/// Gives nodes of a cluster their roles.
#[utoipa::path(put, path = "/clusters/{id}/deploy", params(DeployQuery), responses(
    (status = 409, description = "A task works on the cluster."),
))]
async fn deploy(State(server): App, Id(id): Id, Query(query): Query<DeployQuery>) -> Answer<Accepted> {
    let wanted = Wanted::Deployment { selection: selection(query.nodes), dry_run: query.dry_run };
    request(&server, id, wanted).await
}

/// Removes, provisions and deploys whatever is pending in a cluster, in this order: each in a subtask of its own.
#[utoipa::path(put, path = "/clusters/{id}/changes", responses(
    (status = 409, description = "A task works on the cluster."),
))]
async fn changes(State(server): App, Id(id): Id) -> Answer<Accepted> {
    request(&server, id, Wanted::Changes).await
}

/// Stops what runs on a cluster. A node that was being provisioned goes back to `discover`, one that was being deployed
/// becomes `stopped`.
#[utoipa::path(put, path = "/clusters/{id}/stop", responses(
    (status = 409, description = "Nothing runs on the cluster, or nothing that can be stopped."),
))]
async fn stop(State(server): App, Id(id): Id) -> Answer<Accepted> {
    Ok(Accepted(deploy::stop(&server, id).await?))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ResetQuery {
    /// Whether it is reset even while a task runs: then that fails first.
    #[serde(default)]
    force: bool,
}

/// Takes everything from the nodes of a cluster: they go back to `discover`, and their roles are pending again.
#[utoipa::path(put, path = "/clusters/{id}/reset", params(ResetQuery), responses(
    (status = 409, description = "A task works on the cluster."),
))]
async fn reset(State(server): App, Id(id): Id, Query(ResetQuery { force }): Query<ResetQuery>) -> Answer<Accepted> {
    request(&server, id, Wanted::Reset { force }).await
}

fn selection(nodes: Option<Ids>) -> Selection {
    nodes.map_or(Selection::All, |Ids(ids)| Selection::These(ids))
}

async fn request(server: &Arc<Server>, cluster: i64, wanted: Wanted) -> Answer<Accepted> {
    Ok(Accepted(deploy::request(server, WorkRequest { cluster, wanted }).await?))
}

list_query! {
    TaskQuery {
        /// Only tasks of this cluster.
        cluster_id: Option<i64>,
        /// Only tasks in this status.
        status: Option<TaskStatus>,
    }
}

/// Lists tasks.
#[utoipa::path(get, path = "/tasks", params(TaskQuery))]
async fn list(State(server): App, Query(query): Query<TaskQuery>) -> Answer<List<Task>> {
    let page = query.page();
    check_order(&page, store::tasks::can_order)?;
    let filter = TaskFilter { cluster: query.cluster_id, status: query.status };
    List::of(store::tasks::list(server.store.reader(), filter, &page).await?)
}

/// Shows a task.
#[utoipa::path(get, path = "/tasks/{id}")]
async fn show(State(server): App, Id(id): Id) -> Answer<Json<Task>> {
    Ok(Json(find(&server, id).await?))
}

async fn find(server: &Server, id: i64) -> Answer<Task> {
    let task = store::tasks::find(server.store.reader(), id).await?;
    Ok(task.ok_or_else(|| Refusal::unknown("task", id))?)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Force {
    /// Whether it is deleted even if it has not ended: then its nodes fail.
    #[serde(default)]
    force: bool,
}

/// Deletes a task that has ended.
#[utoipa::path(delete, path = "/tasks/{id}", params(Force), responses(
    (status = 409, description = "It has not ended."),
))]
async fn delete(State(server): App, Id(id): Id, Query(Force { force }): Query<Force>) -> Answer<NoContent> {
    let task = find(&server, id).await?;
    if !task.status.is_final() {
        if !force {
            let refusal =
                Refusal::Conflict(format!("task {id} is {}; wait until it has ended, or force it", task.status));
            return Err(refusal.into());
        }
        deploy::give_up(&server, &task, "the task was deleted by force").await?;
    }
    let tx = server.change(Tolerance::Strict).await?;
    let parts = store::tasks::parts_of(&*tx, id).await?;
    if let Some(part) = parts.iter().find(|part| !part.status.is_final()) {
        return Err(Refusal::Conflict(format!("its part {} is {}; try again", part.id, part.status)).into());
    }
    store::tasks::delete(&tx, id).await?;
    tx.commit().await?;
    Ok(NoContent)
}

/// What a task sent, as it was sent; of a dry run, what it would have sent.
#[derive(Serialize, ToSchema)]
struct SentInfo {
    /// What all nodes share.
    #[schema(value_type = Option<Object>)]
    common: Option<Box<RawValue>>,
    /// The documents of the nodes, by id.
    #[schema(value_type = BTreeMap<String, Object>)]
    nodes: BTreeMap<i64, Box<RawValue>>,
    /// Their hashes.
    sha256: Hashes,
}

/// The SHA-256 of each document: of its compact JSON, as it stands in the answer.
#[derive(Default, Serialize, ToSchema)]
struct Hashes {
    /// Of what all nodes share.
    common: Option<String>,
    /// Of the documents of the nodes, by id.
    #[schema(value_type = BTreeMap<String, String>)]
    nodes: BTreeMap<i64, String>,
}

/// Shows what a deployment sent to the orchestrator, with hashes.
#[utoipa::path(get, path = "/tasks/{id}/deployment_info")]
async fn deployment_info(State(server): App, Id(id): Id) -> Answer<Json<SentInfo>> {
    sent_info(&server, id, DataKind::Deployment).await
}

/// Shows what a provisioning sent to the orchestrator, with hashes.
#[utoipa::path(get, path = "/tasks/{id}/provisioning_info")]
async fn provisioning_info(State(server): App, Id(id): Id) -> Answer<Json<SentInfo>> {
    sent_info(&server, id, DataKind::Provisioning).await
}

async fn sent_info(server: &Server, id: i64, kind: DataKind) -> Answer<Json<SentInfo>> {
    let task = find(server, id).await?;
    let sent = match task.name.work().and_then(DataKind::of) {
        Some(own) if own == kind => store::sent::of_task(server.store.reader(), id).await?,
        _ => Vec::new(),
    };
    if sent.is_empty() {
        return Err(Refusal::NotFound(format!("task {id} ({}) has sent no {kind} data", task.name)).into());
    }
    let mut info = SentInfo { common: None, nodes: BTreeMap::new(), sha256: Hashes::default() };
    for SentDocument { node, sha256, document } in sent {
        let document =
            RawValue::from_string(document).map_err(|error| Refusal::Database(DbErr::Json(error.to_string())))?;
        match node {
            None => (info.common, info.sha256.common) = (Some(document), Some(sha256)),
            Some(node) => {
                info.nodes.insert(node, document);
                info.sha256.nodes.insert(node, sha256);
            }
        }
    }
    Ok(Json(info))
}
