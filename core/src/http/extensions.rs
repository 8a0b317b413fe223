//! `/extensions`, and those of a cluster.

use super::{
    App, clusters,
    extract::{Id, Json, Query},
    respond::Answer,
    templates,
};
use crate::{
    change::{Tolerance, enabling},
    error::Refusal,
    extension::UrlEntry,
    registry::Loaded,
    server::Server,
    store::{self, MigrationError, MigrationState},
};
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/extensions", get(list))
        .route("/extensions/{name}", get(show))
        .route("/clusters/{id}/extensions", get(enabled).put(enable).delete(disable))
}

async fn list(State(server): App) -> Answer<Json<Vec<Value>>> {
    Ok(Json(describe_all(&server).await?))
}

async fn show(State(server): App, Path(name): Path<String>) -> Answer<Json<Value>> {
    let found = describe_all(&server).await?.into_iter().find(|extension| extension["name"] == *name);
    Ok(Json(found.ok_or_else(|| Refusal::NotFound(format!("no such extension: {name}")))?))
}

/// Who enables an extension: the ids of clusters, and of nodes that do so for themselves alone.
#[derive(Default)]
struct EnabledBy {
    clusters: Vec<i64>,
    nodes: Vec<i64>,
}

impl EnabledBy {
    async fn read(server: &Server) -> Answer<BTreeMap<String, Self>> {
        let mut enabled_by = BTreeMap::<String, Self>::new();
        for (cluster, names) in store::clusters::enabled_extensions(server.store.reader()).await? {
            for name in names {
                enabled_by.entry(name).or_default().clusters.push(cluster);
            }
        }
        for (node, names) in store::nodes::enabled_extensions(server.store.reader()).await? {
            for name in names {
                enabled_by.entry(name).or_default().nodes.push(node);
            }
        }
        Ok(enabled_by)
    }
}

/// All extensions in the total order; after them, by name, those that are enabled somewhere and that this build lacks.
pub(crate) async fn describe_all(server: &Server) -> Answer<Vec<Value>> {
    let mut enabled_by = EnabledBy::read(server).await?;
    let mut described = Vec::new();
    for loaded in server.registry.iter() {
        let enabled_by = enabled_by.remove(loaded.metadata.name).unwrap_or_default();
        described.push(describe(server, loaded, enabled_by).await?);
    }
    described.extend(enabled_by.into_iter().map(|(name, EnabledBy { clusters, nodes })| {
        json!({
            "name": name,
            "status": "missing",
            "reason": "enabled for a cluster or a node, but not in this build",
            "enabled_by": clusters,
            "enabled_by_nodes": nodes,
        })
    }));
    Ok(described)
}

async fn describe(server: &Server, loaded: &Loaded, enabled_by: EnabledBy) -> Answer<Value> {
    let metadata = loaded.metadata;
    let health = loaded.health();
    let (states, reason) = match server.store.migration_states(&loaded.migrator()).await {
        Ok(states) => (states, health.reason),
        Err(MigrationError::Failed { source, .. }) => return Err(source.into()),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let migrations = |wanted: MigrationState| -> Vec<&str> {
        states.iter().filter(|(_, state)| *state == wanted).map(|(name, _)| name.as_str()).collect()
    };
    let pipelines: Vec<Value> = loaded
        .pipelines
        .iter()
        .map(|pipeline| json!({"name": pipeline.metadata().name, "stages": pipeline.metadata().overrides}))
        .collect();
    Ok(json!({
        "name": metadata.name,
        "version": metadata.version,
        "description": metadata.description,
        "url": metadata.url,
        "crate": metadata.krate,
        "priority": metadata.priority,
        "after": metadata.after,
        "requires": metadata.requires,
        "hooks": metadata.hooks().collect::<Vec<_>>(),
        "urls": loaded.urls.iter().map(describe_url).collect::<Vec<_>>(),
        "pipelines": pipelines,
        "migrations": {"applied": migrations(MigrationState::Applied), "pending": migrations(MigrationState::Pending)},
        "provides": loaded.provided.iter().map(|provided| provided.called.name()).collect::<Vec<_>>(),
        "status": health.status,
        "reason": reason,
        "enabled_by": enabled_by.clusters,
        "enabled_by_nodes": enabled_by.nodes,
    }))
}

/// A URL for people and programs: its pattern, and the paths that it matches as templates.
fn describe_url(url: &UrlEntry) -> Value {
    let paths: Vec<String> = templates(url.pattern).into_iter().map(|template| template.path).collect();
    json!({"pattern": url.pattern, "paths": paths})
}

async fn enabled(State(server): App, Id(id): Id) -> Answer<Json<Vec<String>>> {
    let cluster = clusters::find(&server, id).await?;
    Ok(Json(server.registry.in_order(cluster.extensions)))
}

async fn enable(State(server): App, Id(id): Id, Json(names): Json<Vec<String>>) -> Answer<Json<Vec<String>>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let enabled = enabling::enable(&mut tx, id, names).await?;
    tx.commit().await?;
    Ok(Json(enabled))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    extension_names: String,
}

async fn disable(State(server): App, Id(id): Id, Query(which): Query<Which>) -> Answer<StatusCode> {
    let names: Vec<String> = which.extension_names.split(',').map(str::trim).map(str::to_owned).collect();
    let mut tx = server.change(Tolerance::Strict).await?;
    enabling::disable(&mut tx, id, &names).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
