//! The HTTP API: one resource, one file. `error` alone knows what status an error has.

mod clusters;
mod data;
mod dead_letters;
mod error;
mod event_stream;
mod events;
mod extensions;
mod extract;
mod gate;
mod groups;
mod log;
mod middleware;
mod monitoring;
mod nodes;
mod notifications;
mod openapi;
mod page;
mod releases;
mod respond;
mod strict;
mod subscriptions;
mod system;
mod urls;
mod verbatim;
mod websocket;
mod work;

pub(crate) use extensions::ExtensionUrl;
pub use extract::{Json, Query};
pub use monitoring::RequestPoint;
pub(crate) use openapi::Document;
pub(crate) use urls::{UrlTable, templates};
#[cfg(feature = "testkit")]
pub(crate) use verbatim::AsItIs;
pub use verbatim::Verbatim;

use crate::{registry::Registry, server::Server};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::from_fn_with_state,
    response::Response,
};
use openapi::Resource;
use std::sync::Arc;
use tower::{Layer, ServiceExt};
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use utoipa_axum::router::OpenApiRouter;

/// The state of every handler of the core.
pub(crate) type App = axum::extract::State<Arc<Server>>;

/// Below this stand the resources of the core and the URLs of extensions.
pub(crate) const BASE: &str = "/api/v1";

/// The resources below [`BASE`]; `document` is what one of them answers with.
fn resources(document: Document) -> OpenApiRouter<Arc<Server>> {
    let resources = [
        nodes::routes(),
        clusters::routes(),
        groups::routes(),
        releases::routes(),
        extensions::routes(),
        dead_letters::routes(),
        data::routes(),
        work::routes(),
        notifications::routes(),
        events::routes(),
        system::api_routes(),
        openapi::routes(document),
    ];
    resources.into_iter().map(Resource::into_router).fold(OpenApiRouter::default(), OpenApiRouter::merge)
}

/// The paths of the resources below [`BASE`], which no extension can have.
pub(crate) fn core_templates() -> Vec<String> {
    resources(Document::default()).into_openapi().paths.paths.into_keys().collect()
}

/// All routes of the core that the document describes.
fn routes(resources: OpenApiRouter<Arc<Server>>) -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::default().nest(BASE, resources).merge(system::root_routes().into_router())
}

/// The OpenAPI document of a server with these extensions.
pub(crate) fn document(registry: &Registry) -> Document {
    Document::of(routes(resources(Document::default())).into_openapi(), registry)
}

/// The whole API as one service.
#[derive(Clone)]
pub(crate) struct Api(NormalizePath<Router>);

impl Api {
    pub(crate) fn new(server: &Arc<Server>, urls: UrlTable) -> Self {
        let resources = resources(document(&server.registry)).fallback_service(urls::service(Arc::clone(server), urls));
        let resources = resources.layer(from_fn_with_state(Arc::clone(server), gate::gate));
        let (router, _) = routes(resources).split_for_parts();
        let router = router
            .merge(page::routes())
            .layer(DefaultBodyLimit::max(server.settings.limits.body_bytes))
            .with_state(Arc::clone(server));
        // A trailing slash is optional everywhere, so it goes before anything is routed.
        Self(NormalizePathLayer::trim_trailing_slash().layer(middleware::around(server, router)))
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
