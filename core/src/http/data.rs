//! `/clusters/{id}/orchestrator/{kind}`: what would be sent, and what a person wants sent instead.

use super::{
    App, clusters,
    extract::{Id, Ids, Json, Query},
    respond::Answer,
};
use crate::{
    change::{self, Tolerance},
    deploy::{self, DataKind, Explanation, Selection, Trace},
    error::Refusal,
    extension::ClusterData,
    model::{Customisation, Merged},
    server::Server,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/clusters/{id}/orchestrator/{kind}", get(stored).put(store).delete(forget))
        .route("/clusters/{id}/orchestrator/{kind}/defaults", get(defaults))
        .route("/clusters/{id}/orchestrator/{kind}/explain", get(explain))
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl Kind {
    fn parse(&self) -> Result<DataKind, Refusal> {
        self.kind.parse().map_err(|error| Refusal::NotFound(format!("{error}")))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DefaultsQuery {
    nodes: Option<Ids>,
    merged: bool,
}

async fn defaults(
    State(server): App,
    Id(id): Id,
    Path(kind): Path<Kind>,
    Query(query): Query<DefaultsQuery>,
) -> Answer<Response> {
    let selection = query.nodes.map_or(Selection::All, |Ids(ids)| Selection::These(ids));
    let data = deploy::preview(&server, id, kind.parse()?, &selection, &mut Trace::off()).await?;
    Ok(if query.merged { merged(data) } else { Json(data).into_response() })
}

/// The merged documents as a list, written one by one: however large the cluster, one of them stands in memory.
fn merged(data: ClusterData) -> Response {
    let data = Arc::new(data);
    let documents = (0..data.nodes().len()).map(move |index| {
        let mut chunk = if index == 0 { Vec::from(*b"[") } else { Vec::from(*b",") };
        let document = Merged::new(data.common(), &data.nodes()[index]);
        if let Err(error) = serde_json::to_writer(&mut chunk, &document) {
            tracing::error!(%error, "a document cannot be written");
        }
        chunk
    });
    let empty_list = documents.len() == 0;
    let end = if empty_list { Vec::from(*b"[]") } else { Vec::from(*b"]") };
    let chunks = documents.chain(std::iter::once(end)).map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk)));
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(stream::iter(chunks))).into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExplainQuery {
    nodes: Option<Ids>,
}

async fn explain(
    State(server): App,
    Id(id): Id,
    Path(kind): Path<Kind>,
    Query(query): Query<ExplainQuery>,
) -> Answer<Json<Explanation>> {
    let selection = query.nodes.map_or(Selection::All, |Ids(ids)| Selection::These(ids));
    Ok(Json(deploy::explain(&server, id, kind.parse()?, &selection).await?))
}

async fn stored(State(server): App, Id(id): Id, Path(kind): Path<Kind>) -> Answer<Json<Customisation>> {
    let kind = kind.parse()?;
    clusters::find(&server, id).await?;
    Ok(Json(change::clusters::customisation(server.store.reader(), id, kind).await?))
}

async fn store(
    State(server): App,
    Id(id): Id,
    Path(kind): Path<Kind>,
    Json(wanted): Json<Customisation>,
) -> Answer<Json<Customisation>> {
    let kind = kind.parse()?;
    let mut tx = server.change(Tolerance::Strict).await?;
    change::clusters::customise(&mut tx, id, kind, wanted.clone()).await?;
    tx.commit().await?;
    Ok(Json(wanted))
}

async fn forget(State(server): App, Id(id): Id, Path(kind): Path<Kind>) -> Answer<StatusCode> {
    let kind = kind.parse()?;
    let mut tx = server.change(Tolerance::Strict).await?;
    change::clusters::customise(&mut tx, id, kind, Customisation::default()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
