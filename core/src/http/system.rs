//! The server itself: whether it lives, whether it can work, what it is, and what its error codes mean.

use super::{
    App,
    error::{Place, Problem},
    extract::Json,
    openapi::Resource,
    respond::{Answer, Exposition, Markdown, Text},
};
use crate::{codes::error_codes, monitoring, store};
use axum::extract::{Path, State};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn root_routes() -> Resource {
    Resource::new("server", "The server itself.")
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .routes(routes!(error_page))
}

pub(super) fn api_routes() -> Resource {
    Resource::new("server", "The server itself.").routes(routes!(info))
}

/// Who asks whether the server is ready wants to know now.
const READY_WAIT: Duration = Duration::from_secs(1);

/// Tells that the process lives.
#[utoipa::path(get, path = "/livez")]
async fn live() -> Text {
    Text("live\n")
}

/// That the server works, and what it does without.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `true`
    ready: bool,
    /// The extensions that have failed.
    without: Vec<FailedExtension>,
}

/// An extension that could not be started.
#[derive(Serialize, ToSchema)]
struct FailedExtension {
    /// Its name.
    extension: &'static str,
    /// Why it has failed.
    reason: String,
}

/// Tells whether the server can work: all extensions are started or have failed, the database answers, and it is not about
/// to stop. Where it cannot, `errors` lists what is not ready.
#[utoipa::path(get, path = "/readyz")]
async fn ready(State(server): App) -> Answer<Json<Readiness>> {
    if server.stopping.is_cancelled() {
        return Err(Problem::unavailable("the server is stopping"));
    }
    let mut amiss = Vec::new();
    let mut without = Vec::new();
    for loaded in server.registry.iter() {
        let (name, condition) = (loaded.metadata.name, &loaded.condition);
        match condition.failure() {
            Some(reason) => without.push(FailedExtension { extension: name, reason: reason.to_owned() }),
            None if !condition.is_available() => amiss.push(Place::amiss(Some(name), "it is starting")),
            None => {}
        }
    }
    let answered = tokio::time::timeout(READY_WAIT, store::tasks::count_unfinished(server.store.reader())).await;
    if !matches!(answered, Ok(Ok(_))) {
        amiss.push(Place::amiss(None, "the database does not answer"));
    }
    if !server.started.is_cancelled() {
        return Err(Problem::not_ready("the server is starting", amiss));
    }
    if !amiss.is_empty() {
        return Err(Problem::not_ready("the server cannot work", amiss));
    }
    Ok(Json(Readiness { ready: true, without }))
}

/// Shows what the server counts of itself, for Prometheus: requests, calls of extensions, tasks, points of monitoring, the
/// process.
#[utoipa::path(get, path = "/metrics")]
async fn metrics(State(server): App) -> Answer<Exposition> {
    monitoring::page(&server).await.map(Exposition).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        Problem::internal()
    })
}

/// What this server is.
#[derive(Serialize, ToSchema)]
struct Info {
    /// Its version.
    version: &'static str,
    /// What it can do beside the minimum.
    features: &'static [&'static str],
    /// The kind of its database.
    database: &'static str,
    /// The extensions of this build, in the total order.
    extensions: Vec<ExtensionVersion>,
}

/// An extension of this build.
#[derive(Serialize, ToSchema)]
struct ExtensionVersion {
    /// Its name.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// Tells what this server is made of.
#[utoipa::path(get, path = "/info")]
async fn info(State(server): App) -> Json<Info> {
    let extensions = server.registry.iter().map(|loaded| loaded.metadata);
    Json(Info {
        version: env!("CARGO_PKG_VERSION"),
        features: &["local"],
        database: server.store.backend(),
        extensions: extensions
            .map(|metadata| ExtensionVersion { name: metadata.name, version: metadata.version })
            .collect(),
    })
}

/// Shows the page of an error code.
#[utoipa::path(get, path = "/errors/{code}", params(("code" = String, Path, description = "The code, such as RG0404.")))]
async fn error_page(Path(code): Path<String>) -> Answer<Markdown> {
    let found = error_codes().into_iter().find(|known| known.code.eq_ignore_ascii_case(&code));
    let found = found.ok_or_else(|| Problem::not_found(format!("there is no error code {code}")))?;
    Ok(Markdown(found.page))
}
