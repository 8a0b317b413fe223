//! `/clusters/{id}/orchestrator/{kind}`: what would be sent, and what a person wants sent instead.

use super::{
    App, clusters,
    extract::{Id, Ids, Json, Query},
    openapi::Resource,
    respond::{Answer, NoContent},
};
use crate::{
    change::{self, Tolerance},
    deploy::{self, DataKind, Explanation, Selection, Trace},
    error::Refusal,
    extension::ClusterData,
    model::{Customisation, Merged},
};
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc};
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("data", "What is sent to the orchestrator, and what a person wants sent instead.")
        .routes(routes!(stored, store, forget))
        .routes(routes!(defaults))
        .routes(routes!(explain))
}

#[derive(Deserialize, utoipa::IntoParams)]
struct Kind {
    /// Which data.
    #[param(value_type = DataKind, inline)]
    kind: String,
}

impl Kind {
    fn parse(&self) -> Result<DataKind, Refusal> {
        self.kind.parse().map_err(|error| Refusal::NotFound(format!("{error}")))
    }
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
struct DefaultsQuery {
    /// The ids of the nodes, with commas between them; when absent, all.
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false)]
    nodes: Option<Ids>,
    /// Whether the answer is a list of merged documents, one a node.
    merged: bool,
}

/// Shows the data as they would be sent: pipelines included, what a person stored left out. Writes nothing.
#[utoipa::path(get, path = "/clusters/{id}/orchestrator/{kind}/defaults", params(Kind, DefaultsQuery), responses(
    (status = 409, description = "A pipeline refuses the data."),
    (status = 422, description = "A pipeline says what is wrong with the data."),
    (status = 503, description = "What a pipeline needs is away."),
))]
async fn defaults(
    State(server): App,
    Id(id): Id,
    Path(kind): Path<Kind>,
    Query(query): Query<DefaultsQuery>,
) -> Answer<Defaults> {
    let selection = query.nodes.map_or(Selection::All, |Ids(ids)| Selection::These(ids));
    let data = deploy::preview(&server, id, kind.parse()?, &selection, &mut Trace::off()).await?;
    Ok(if query.merged { Defaults::Merged(data) } else { Defaults::Split(data) })
}

/// The data as they would be sent, in one of two forms.
pub(super) enum Defaults {
    Split(ClusterData),
    Merged(ClusterData),
}

impl IntoResponse for Defaults {
    fn into_response(self) -> Response {
        match self {
            Self::Split(data) => Json(data).into_response(),
            Self::Merged(data) => merged(data),
        }
    }
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

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
struct ExplainQuery {
    /// The ids of the nodes, with commas between them; when absent, all.
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false)]
    nodes: Option<Ids>,
}

/// Explains the data as they would be sent: what each stage changed, and who set a value last. Writes nothing.
#[utoipa::path(get, path = "/clusters/{id}/orchestrator/{kind}/explain", params(Kind, ExplainQuery), responses(
    (status = 409, description = "A pipeline refuses the data."),
    (status = 422, description = "A pipeline says what is wrong with the data."),
    (status = 503, description = "What a pipeline needs is away."),
))]
async fn explain(
    State(server): App,
    Id(id): Id,
    Path(kind): Path<Kind>,
    Query(query): Query<ExplainQuery>,
) -> Answer<Json<Explanation>> {
    let selection = query.nodes.map_or(Selection::All, |Ids(ids)| Selection::These(ids));
    Ok(Json(deploy::explain(&server, id, kind.parse()?, &selection).await?))
}

/// Shows what a person stored in place of generated data.
#[utoipa::path(get, path = "/clusters/{id}/orchestrator/{kind}", params(Kind))]
async fn stored(State(server): App, Id(id): Id, Path(kind): Path<Kind>) -> Answer<Json<Customisation>> {
    let kind = kind.parse()?;
    clusters::find(&server, id).await?;
    Ok(Json(change::clusters::customisation(server.store.reader(), id, kind).await?))
}

/// Stores what a person wants in place of generated data; what was stored before is forgotten.
#[utoipa::path(put, path = "/clusters/{id}/orchestrator/{kind}", params(Kind))]
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

/// Forgets what a person stored in place of generated data.
#[utoipa::path(delete, path = "/clusters/{id}/orchestrator/{kind}", params(Kind))]
async fn forget(State(server): App, Id(id): Id, Path(kind): Path<Kind>) -> Answer<NoContent> {
    let kind = kind.parse()?;
    let mut tx = server.change(Tolerance::Strict).await?;
    change::clusters::customise(&mut tx, id, kind, Customisation::default()).await?;
    tx.commit().await?;
    Ok(NoContent)
}
