//! What happens around every request: an id, a span, a line in the log, and errors as problem details.

use super::{error::Problem, monitoring::Watched, verbatim::AsItIs};
use crate::{principal, server::Server};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use std::{sync::Arc, time::Instant};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use uuid::Uuid;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer texts of foreign errors are cut.
const FOREIGN_TEXT: usize = 4096;

pub(super) fn around(server: &Arc<Server>, router: Router) -> Router {
    router
        .layer(CatchPanicLayer::custom(|payload: Box<dyn std::any::Any + Send>| {
            tracing::error!(panic = crate::contain::panic_text(&*payload), "a handler panicked");
            Problem::internal().into_response()
        }))
        .layer(from_fn_with_state(Arc::clone(server), around_request))
}

async fn around_request(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let id = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_sane(id));
    let id = id.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", request_id = %id);
    let watched = Watched::begin(&server, &id, &mut request);
    async {
        let start = Instant::now();
        let answer = principal::acting(principal::ANONYMOUS, next.run(request)).await;
        let (response, code) = write_problem(answer, &id).await;
        watched.answered(&response, code);
        let (status, micros) = (response.status().as_u16(), start.elapsed().as_micros());
        tracing::info!(%method, path, status, micros, "answered");
        with_id(response, &id)
    }
    .instrument(span)
    .await
}

/// Ids of callers go into logs and headers.
fn is_sane(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn with_id(mut response: Response, id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    response
}

/// Writes the body of an error, ours or not, and keeps its other headers (`Allow`, `Content-Range`). With the code of one
/// that is a problem now.
async fn write_problem(response: Response, id: &str) -> (Response, Option<&'static str>) {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if !is_error || response.extensions().get::<AsItIs>().is_some() {
        return (response, None);
    }
    let (mut parts, body) = response.into_parts();
    let problem = match parts.extensions.remove::<Problem>() {
        Some(problem) => problem,
        None if is_text(&parts.headers) => foreign(parts.status, body).await,
        None => return (Response::from_parts(parts, body), None),
    };
    let code = problem.code();
    let mut written = problem.write(id);
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE] {
        parts.headers.remove(name);
    }
    written.headers_mut().extend(parts.headers);
    (written, Some(code))
}

/// Whether the body is plain text or absent, as axum's own errors are.
fn is_text(headers: &axum::http::HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|value| value.as_bytes().starts_with(b"text/plain"))
}

async fn foreign(status: StatusCode, body: Body) -> Problem {
    if status.is_server_error() {
        return Problem::internal();
    }
    let text = to_bytes(body, FOREIGN_TEXT)
        .await
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let detail = match (status, text.is_empty()) {
        (StatusCode::NOT_FOUND, true) => "there is nothing at this path".to_owned(),
        (StatusCode::METHOD_NOT_ALLOWED, true) => {
            "this path does not have that method; `Allow` lists those it has".to_owned()
        }
        (_, true) => status.canonical_reason().unwrap_or("the request failed").to_owned(),
        (_, false) => text,
    };
    Problem::new(status, detail)
}
