//! `/docs/`: a page that shows the OpenAPI document. Everything that it loads is part of this binary.

use super::error::Problem;
use axum::{
    Router,
    extract::Path,
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;
use utoipa_swagger_ui::{Config, SwaggerFile};

/// The page names its files by their whole path: it is the same page with and without a slash at the end of its own.
const PAGE: &str = include_str!("page.html");

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/docs", get(async || Html(PAGE))).route("/docs/{file}", get(file))
}

async fn file(Path(name): Path<String>) -> Response {
    let found = utoipa_swagger_ui::serve(&name, Arc::new(Config::default()));
    let Ok(Some(SwaggerFile { bytes, content_type, gzpipped: gzipped, .. })) = found else {
        return Problem::not_found(format!("the page has no file {name}")).into_response();
    };
    let mut response = ([(header::CONTENT_TYPE, content_type)], bytes.into_owned()).into_response();
    if gzipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    response
}
