//! The HTTP API: one resource, one file. `error` alone knows what status an error has.

mod clusters;
mod data;
mod error;
mod extensions;
mod extract;
mod groups;
mod middleware;
mod nodes;
mod notifications;
mod releases;
mod respond;
mod strict;
mod system;
mod urls;
mod work;

pub use extract::{Json, Query};
pub(crate) use urls::{UrlTable, templates};

use crate::server::Server;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    response::Response,
};
use std::sync::Arc;
use tower::{Layer, ServiceExt};
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};

/// The state of every handler of the core.
pub(crate) type App = axum::extract::State<Arc<Server>>;

/// Below this stand the resources of the core and the URLs of extensions.
pub(crate) const BASE: &str = "/api/v1";

/// The whole API as one service.
#[derive(Clone)]
pub(crate) struct Api(NormalizePath<Router>);

impl Api {
    pub(crate) fn new(server: &Arc<Server>, urls: UrlTable) -> Self {
        let resources = Router::new()
            .merge(nodes::routes())
            .merge(clusters::routes())
            .merge(groups::routes())
            .merge(releases::routes())
            .merge(extensions::routes())
            .merge(data::routes())
            .merge(work::routes())
            .merge(notifications::routes())
            .merge(system::api_routes())
            .fallback_service(urls::service(Arc::clone(server), urls));
        let router = Router::new()
            .nest(BASE, resources)
            .merge(system::root_routes())
            .layer(DefaultBodyLimit::max(server.settings.limits.body_bytes))
            .with_state(Arc::clone(server));
        // A trailing slash is optional everywhere, so it goes before anything is routed.
        Self(NormalizePathLayer::trim_trailing_slash().layer(middleware::around(router)))
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        match ServiceExt::<Request>::oneshot(self.0.clone(), request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Serves connections until `stopping` ends.
    pub(crate) async fn serve(
        self,
        listener: tokio::net::TcpListener,
        stopping: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let make = axum::ServiceExt::<Request>::into_make_service(self.0);
        axum::serve(listener, make).with_graceful_shutdown(stopping).await
    }
}
