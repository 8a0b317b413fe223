//! Work on the nodes of a cluster, and the tasks that it is done in.

use super::{
    App,
    extract::{Id, Ids, Json, Query, list_query},
    respond::{Accepted, Answer, List, check_order},
};
use crate::{
    change::Tolerance,
    deploy::{self, DataKind, Selection, Work, WorkRequest},
    error::Refusal,
    model::{SentDocument, Task, TaskKind, TaskStatus},
    server::Server,
    store::{self, LogLine, TaskFilter},
};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, put},
};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/clusters/{id}/provision", put(provision))
        .route("/clusters/{id}/deploy", put(deploy))
        .route("/tasks", get(list))
        .route("/tasks/{id}", get(show).delete(delete))
        .route("/tasks/{id}/log", get(log))
        .route("/tasks/{id}/deployment_info", get(deployment_info))
        .route("/tasks/{id}/provisioning_info", get(provisioning_info))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProvisionQuery {
    nodes: Option<Ids>,
}

async fn provision(State(server): App, Id(id): Id, Query(query): Query<ProvisionQuery>) -> Answer<Accepted> {
    request(&server, id, TaskKind::Provision, query.nodes, false).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DeployQuery {
    nodes: Option<Ids>,
    dry_run: bool,
}

async fn deploy(State(server): App, Id(id): Id, Query(query): Query<DeployQuery>) -> Answer<Accepted> {
    request(&server, id, TaskKind::Deployment, query.nodes, query.dry_run).await
}

async fn request(
    server: &Arc<Server>,
    cluster: i64,
    kind: TaskKind,
    nodes: Option<Ids>,
    dry_run: bool,
) -> Answer<Accepted> {
    let selection = nodes.map_or(Selection::All, |Ids(ids)| Selection::These(ids));
    Ok(Accepted(deploy::request(server, WorkRequest { cluster, kind, selection, dry_run }).await?))
}

list_query! {
    TaskQuery {
        cluster_id: Option<i64>,
        status: Option<TaskStatus>,
    }
}

async fn list(State(server): App, Query(query): Query<TaskQuery>) -> Answer<List<Task>> {
    let page = query.page();
    check_order(&page, store::tasks::can_order)?;
    let filter = TaskFilter { cluster: query.cluster_id, status: query.status };
    List::of(store::tasks::list(server.store.reader(), filter, &page).await?)
}

async fn show(State(server): App, Id(id): Id) -> Answer<Json<Task>> {
    Ok(Json(find(&server, id).await?))
}

async fn find(server: &Server, id: i64) -> Answer<Task> {
    let task = store::tasks::find(server.store.reader(), id).await?;
    Ok(task.ok_or_else(|| Refusal::unknown("task", id))?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Force {
    #[serde(default)]
    force: bool,
}

async fn delete(State(server): App, Id(id): Id, Query(Force { force }): Query<Force>) -> Answer<StatusCode> {
    let task = find(&server, id).await?;
    if !task.status.is_final() {
        if !force {
            let refusal =
                Refusal::Conflict(format!("task {id} is {}; wait until it has ended, or force it", task.status));
            return Err(refusal.into());
        }
        // Its nodes must not wait for reports that nobody will hear.
        deploy::fail(&server, &task, None, "the task was deleted by force".to_owned()).await?;
        for orchestrator in server.orchestrators.values() {
            orchestrator.abandon(task.uuid);
        }
    }
    let tx = server.change(Tolerance::Strict).await?;
    store::tasks::delete(&*tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

list_query! {
    LogQuery {}
}

async fn log(State(server): App, Id(id): Id, Query(query): Query<LogQuery>) -> Answer<List<LogLine>> {
    let page = query.page();
    check_order(&page, store::logs::can_order)?;
    find(&server, id).await?;
    List::of(store::logs::list(server.store.reader(), id, &page).await?)
}

/// What a task sent, as it was sent; of a dry run, what it would have sent.
#[derive(Serialize)]
struct SentInfo {
    common: Option<Box<RawValue>>,
    nodes: BTreeMap<i64, Box<RawValue>>,
    sha256: Hashes,
}

/// The SHA-256 of each document, over the bytes that were sent.
#[derive(Default, Serialize)]
struct Hashes {
    common: Option<String>,
    nodes: BTreeMap<i64, String>,
}

async fn deployment_info(State(server): App, Id(id): Id) -> Answer<Json<SentInfo>> {
    sent_info(&server, id, DataKind::Deployment).await
}

async fn provisioning_info(State(server): App, Id(id): Id) -> Answer<Json<SentInfo>> {
    sent_info(&server, id, DataKind::Provisioning).await
}

async fn sent_info(server: &Server, id: i64, kind: DataKind) -> Answer<Json<SentInfo>> {
    let task = find(server, id).await?;
    let sent = match Work::of(task.name) {
        Some(work) if work.data == kind => store::sent::of_task(server.store.reader(), id).await?,
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
