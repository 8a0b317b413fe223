//! A resource of the API: routes that cannot be added without their description.
//!
//! A handler names its path, says in its doc comment what it does, and lists the refusals of its own. The rest follows
//! from its arguments, its answer and its path.

use super::refusals;
use crate::server::Server;
use std::sync::Arc;
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, OpenApiBuilder, RefOr, Required, SchemaFormat,
    path::{Operation, ParameterBuilder, ParameterIn, PathItem},
    schema::Type,
    tag::TagBuilder,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// Routes that belong together, with a name and a description in the document.
pub(in crate::http) struct Resource {
    name: &'static str,
    router: OpenApiRouter<Arc<Server>>,
}

impl Resource {
    pub(in crate::http) fn new(name: &'static str, description: &'static str) -> Self {
        let tag = TagBuilder::new().name(name).description(Some(description)).build();
        let document = OpenApiBuilder::new().tags(Some([tag])).build();
        Self { name, router: OpenApiRouter::with_openapi(document) }
    }

    /// Adds handlers of one path, as `routes!` makes them of functions with `#[utoipa::path]`.
    pub(in crate::http) fn routes(self, (schemas, mut paths, methods): UtoipaMethodRouter<Arc<Server>>) -> Self {
        for (path, item) in &mut paths.paths {
            for (is_write, operation) in operations(item) {
                describe(operation, self.name, path, is_write);
            }
        }
        Self { router: self.router.routes((schemas, paths, methods)), ..self }
    }

    pub(in crate::http) fn into_router(self) -> OpenApiRouter<Arc<Server>> {
        self.router
    }
}

/// The operations of a path, and whether they write.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [(false, get), (true, put), (true, post), (true, delete), (true, patch)]
        .into_iter()
        .filter_map(|(is_write, operation)| Some((is_write, operation.as_mut()?)))
}

/// Says of an operation what its handler need not.
fn describe(operation: &mut Operation, resource: &str, path: &str, is_write: bool) {
    operation.tags = Some(vec![resource.to_owned()]);
    let function = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{resource}.{function}"));
    if path.contains("{id}") {
        let id =
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        let parameter = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The id of what is meant."))
            .schema(Some(id));
        operation.parameters.get_or_insert_default().insert(0, RefOr::T(parameter.build()));
    }
    refusals::add(operation, is_write);
}
