//! The server itself: whether it lives, whether it can work, what it is, and what its error codes mean.

use super::{App, error::Problem, extract::Json, respond::Answer};
use crate::{codes::error_codes, server::Server, store};
use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::IntoResponse,
    routing::get,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

pub(super) fn root_routes() -> Router<Arc<Server>> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).route("/errors/{code}", get(error_page))
}

pub(super) fn api_routes() -> Router<Arc<Server>> {
    Router::new().route("/info", get(info))
}

/// Who asks whether the server is ready wants to know now.
const READY_WAIT: Duration = Duration::from_secs(1);

async fn live() -> &'static str {
    "live\n"
}

/// Ready is who can read from the database and is not about to stop.
async fn ready(State(server): App) -> Answer<&'static str> {
    if server.stopping.is_cancelled() {
        return Err(Problem::unavailable("the server is stopping"));
    }
    let answered = tokio::time::timeout(READY_WAIT, store::tasks::count_unfinished(server.store.reader())).await;
    answered.map_err(|_| Problem::unavailable("the database does not answer"))??;
    Ok("ready\n")
}

async fn info(State(server): App) -> Json<Value> {
    let extensions: Vec<Value> = server
        .registry
        .iter()
        .map(|loaded| json!({"name": loaded.metadata.name, "version": loaded.metadata.version}))
        .collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "features": ["local"],
        "database": server.store.backend(),
        "extensions": extensions,
    }))
}

async fn error_page(Path(code): Path<String>) -> Answer<impl IntoResponse> {
    let found = error_codes().into_iter().find(|known| known.code.eq_ignore_ascii_case(&code));
    let found = found.ok_or_else(|| Problem::not_found(format!("there is no error code {code}")))?;
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], found.page))
}
