//! The OpenAPI document of this build: the routes of the core, which carry their descriptions, and the URLs of
//! extensions.
//!
//! A route of the core can be added only through [`Resource`], with its description, and what it answers is described
//! by the type that it answers with. So the document cannot leave a route out, and says little that the compiler does
//! not check; the rest is checked by `tests/it/openapi.rs`, which calls every operation.

mod answers;
mod complete;
mod extensions;
mod refusals;
mod resource;

pub(super) use resource::Resource;

use crate::registry::Registry;
use axum::{
    body::Bytes,
    extract::Extension,
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::{router::UtoipaMethodRouterExt, routes};

/// The document as it is sent.
#[derive(Clone, Default)]
pub(crate) struct Document(Bytes);

impl Document {
    /// The document of a server with these routes and extensions.
    pub(super) fn of(routes: OpenApi, registry: &Registry) -> Self {
        let license = env!("CARGO_PKG_LICENSE");
        let license = LicenseBuilder::new().name(license).identifier(Some(license)).build();
        let info = InfoBuilder::new()
            .title("Rivetgun")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some(env!("CARGO_PKG_DESCRIPTION")))
            .license(Some(license))
            .build();
        let document = OpenApiBuilder::new()
            .info(info)
            .build()
            .merge_from(routes)
            .merge_from(extensions::described(registry.iter()));
        Self(Bytes::from(format!("{:#}\n", complete::completed(&document))))
    }

    /// The document as text, which ends with a line break.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// The route that answers with the document.
pub(super) fn routes(document: Document) -> Resource {
    let resource = Resource::new("openapi", "This document.");
    resource.routes(routes!(show).layer(Extension(document)))
}

/// Shows this document.
#[utoipa::path(get, path = "/openapi.json")]
async fn show(Extension(document): Extension<Document>) -> Document {
    document
}
