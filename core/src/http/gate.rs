//! While the server starts, the API is closed, but for those who ask how far it is.

use super::{App, error::Problem};
use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

/// What can be read at any time, below the base.
const OPEN: [&str; 3] = ["/extensions", "/info", "/openapi.json"];

pub(super) async fn gate(State(server): App, request: Request, next: Next) -> Response {
    if server.started.is_cancelled() || is_open(&request) {
        return next.run(request).await;
    }
    Problem::unavailable("the server is starting; `/readyz` tells what it waits for").into_response()
}

fn is_open(request: &Request) -> bool {
    let path = request.uri().path();
    let is_below = |open: &str| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    request.method() == Method::GET && OPEN.into_iter().any(is_below)
}
