//! The server itself: whether it lives, whether it can work, what it is, and what its error codes mean.

use super::{
    App,
    error::Problem,
    extract::Json,
    openapi::Resource,
    respond::{Answer, Markdown, Text},
};
use crate::{codes::error_codes, store};
use axum::extract::{Path, State};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn root_routes() -> Resource {
    Resource::new("server", "The server itself.")
        .routes(routes!(live))
        .routes(routes!(ready))
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

/// Tells whether the server can work: it reads from the database and is not about to stop.
#[utoipa::path(get, path = "/readyz")]
async fn ready(State(server): App) -> Answer<Text> {
    if server.stopping.is_cancelled() {
        return Err(Problem::unavailable("the server is stopping"));
    }
    let answered = tokio::time::timeout(READY_WAIT, store::tasks::count_unfinished(server.store.reader())).await;
    answered.map_err(|_| Problem::unavailable("the database does not answer"))??;
    Ok(Text("ready\n"))
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
