//! What answers a URL: ordinary axum handlers by method, each with the role that its caller needs.

use crate::model::Role;
use axum::{
    extract::Request,
    handler::Handler,
    http::Method,
    response::IntoResponse,
    routing::{MethodFilter, MethodRouter, Route},
};
use std::{convert::Infallible, fmt};
use tower::{Layer, Service};

/// What answers a URL, by method. [`get`], [`post`], [`put`], [`patch`] and [`delete`] begin it.
///
/// Whoever calls needs a role: [`Role::Viewer`] to read (`GET`, and with it `HEAD`), [`Role::Operator`] for everything
/// else. [`role`](Self::role) states another one for the method before it; what anybody may call has to say so. Roles are
/// kept and listed; the server does not ask yet who a caller is.
///
/// ```
/// use rivetgun::prelude::*;
///
/// # async fn list() {}
/// # async fn forget() {}
/// let methods = get(list).role(Role::Public).delete(forget).role(Role::Admin);
/// # drop(methods);
/// ```
#[derive(Clone)]
#[must_use = "methods answer nothing until they stand in `urls!`"]
pub struct Methods {
    router: MethodRouter,
    /// In source order; the last one is the one that `role` is about.
    roles: Vec<(Method, Role)>,
}

/// A function that can answer a request. Every handler of axum is one, and nothing else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer a request",
    label = "not a handler",
    note = "a handler is an `async fn` whose arguments are extractors: `ExtensionContext`, `Path<T>`, `Query<T>`, …, and last \
            what reads the body, such as `Json<T>`",
    note = "it returns a response: `String`, `Json<T>`, `StatusCode`, or a `Result` of one of them; what it holds across an \
            `.await` is `Send`",
    note = "`#[axum::debug_handler]` (feature `macros` of axum) above the function tells which part of it does not fit"
)]
pub trait RequestHandler<T>: Handler<T, ()> {}

#[diagnostic::do_not_recommend]
impl<T, H: Handler<T, ()>> RequestHandler<T> for H {}

/// What can stand behind a pattern: [`Methods`], and nothing else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which role a caller needs",
    label = "not from `rivetgun::prelude`",
    note = "write `get`, `post`, `put`, `patch` or `delete` of `rivetgun::prelude`, and not those of `axum::routing`"
)]
pub trait IntoMethods {
    #[doc(hidden)]
    fn into_methods(self) -> Methods;
}

impl IntoMethods for Methods {
    fn into_methods(self) -> Methods {
        self
    }
}

/// Answers `GET` and `HEAD` with a handler.
pub fn get<T: 'static>(handler: impl RequestHandler<T>) -> Methods {
    Methods::none().get(handler)
}

/// Answers `POST` with a handler.
pub fn post<T: 'static>(handler: impl RequestHandler<T>) -> Methods {
    Methods::none().post(handler)
}

/// Answers `PUT` with a handler.
pub fn put<T: 'static>(handler: impl RequestHandler<T>) -> Methods {
    Methods::none().put(handler)
}

/// Answers `PATCH` with a handler.
pub fn patch<T: 'static>(handler: impl RequestHandler<T>) -> Methods {
    Methods::none().patch(handler)
}

/// Answers `DELETE` with a handler.
pub fn delete<T: 'static>(handler: impl RequestHandler<T>) -> Methods {
    Methods::none().delete(handler)
}

impl Methods {
    /// Answers `GET` and `HEAD` with a handler, too.
    ///
    /// # Panics
    /// When a handler answers it already.
    pub fn get<T: 'static>(self, handler: impl RequestHandler<T>) -> Self {
        self.on(Method::GET, MethodFilter::GET, handler)
    }

    /// Answers `POST` with a handler, too.
    ///
    /// # Panics
    /// When a handler answers it already.
    pub fn post<T: 'static>(self, handler: impl RequestHandler<T>) -> Self {
        self.on(Method::POST, MethodFilter::POST, handler)
    }

    /// Answers `PUT` with a handler, too.
    ///
    /// # Panics
    /// When a handler answers it already.
    pub fn put<T: 'static>(self, handler: impl RequestHandler<T>) -> Self {
        self.on(Method::PUT, MethodFilter::PUT, handler)
    }

    /// Answers `PATCH` with a handler, too.
    ///
    /// # Panics
    /// When a handler answers it already.
    pub fn patch<T: 'static>(self, handler: impl RequestHandler<T>) -> Self {
        self.on(Method::PATCH, MethodFilter::PATCH, handler)
    }

    /// Answers `DELETE` with a handler, too.
    ///
    /// # Panics
    /// When a handler answers it already.
    pub fn delete<T: 'static>(self, handler: impl RequestHandler<T>) -> Self {
        self.on(Method::DELETE, MethodFilter::DELETE, handler)
    }

    /// States the role that a caller of the method before it needs.
    pub fn role(mut self, role: Role) -> Self {
        if let Some((_, stated)) = self.roles.last_mut() {
            *stated = role;
        }
        self
    }

    /// Puts a layer of tower's around the handlers so far, as [`MethodRouter::layer`] does.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.layer(layer);
        self
    }

    fn none() -> Self {
        Self { router: MethodRouter::new(), roles: Vec::new() }
    }

    fn on<T: 'static>(mut self, method: Method, filter: MethodFilter, handler: impl RequestHandler<T>) -> Self {
        let role = if method.is_safe() { Role::Viewer } else { Role::Operator };
        self.roles.push((method, role));
        self.router = self.router.on(filter, handler);
        self
    }

    /// The handlers.
    pub(crate) fn router(&self) -> MethodRouter {
        self.router.clone()
    }

    /// Each method with the role that it needs, in source order.
    pub(crate) fn roles(&self) -> impl Iterator<Item = (&Method, Role)> {
        self.roles.iter().map(|(method, role)| (method, *role))
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.roles()).finish()
    }
}
