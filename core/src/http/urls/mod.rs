//! The URLs of extensions: regular expressions with named groups, which the whole path below the base must match.
//!
//! axum keeps the parameters of its own router to itself, so that its `Path` cannot be given the groups of a regular
//! expression. Therefore each pattern has a little router of axum's behind it, with a route for its groups: a request
//! that matches is sent on as `/{group}/{group}`, and `Path`, its types and its errors are axum's own. The handler sees
//! the URI as it came.
//!
//! No two owners have patterns that match one path, so that the order of extensions never decides who answers.

mod automaton;
mod clash;
mod owners;
mod prefix;
mod templates;
mod url;

pub(crate) use templates::templates;

use crate::{
    contain, deploy,
    extension::ExtensionContext,
    http::{error::Problem, monitoring::set_route},
    registry::{BootProblem, Loaded, WrittenUrl},
    server::Server,
};
use axum::{
    extract::{FromRequestParts, Request},
    http::{Uri, request::Parts, uri::PathAndQuery},
    response::{IntoResponse, Response},
};
use regex::{RegexSet, RegexSetBuilder};
use std::{convert::Infallible, sync::Arc};
use tower::service_fn;
use url::Url;

/// Bytes that the automaton of all patterns may have; a thousand of them need a few megabytes.
const SET_SIZE: usize = 256 << 20;

/// All patterns of all extensions, in the total order.
pub(crate) struct UrlTable {
    set: RegexSet,
    urls: Vec<Url>,
}

/// The URI as it came, for the handler.
#[derive(Clone)]
struct Came(Uri);

impl UrlTable {
    /// # Errors
    /// Every pattern that cannot be used, and every two of different owners that can match one path.
    pub(crate) fn of<'a>(
        extensions: impl Iterator<Item = &'a Arc<Loaded>>,
        core_templates: &[String],
    ) -> Result<Self, Vec<BootProblem>> {
        let mut problems = Vec::new();
        let mut urls = Vec::new();
        for owner in extensions {
            for entry in &owner.urls {
                match Url::of(owner, entry) {
                    Ok(url) => urls.push(url),
                    Err(detail) => {
                        problems.push(BootProblem::Pattern { url: WrittenUrl::of(owner.metadata.name, entry), detail });
                    }
                }
            }
        }
        problems.extend(owners::clashes(&urls, core_templates));
        let set = RegexSetBuilder::new(urls.iter().map(|url| url.regex.as_str())).size_limit(SET_SIZE).build();
        match set {
            Ok(set) if problems.is_empty() => Ok(Self { set, urls }),
            Ok(_) => Err(problems),
            Err(error) => {
                problems.push(BootProblem::Patterns { count: urls.len(), detail: error.to_string() });
                Err(problems)
            }
        }
    }

    /// The first pattern, in the total order, that matches the path, with or without a slash at its end.
    fn find<'p>(&self, path: &'p str, slashed: &'p str) -> Option<(&Url, &'p str)> {
        [path, slashed].into_iter().find_map(|path| {
            let index = self.set.matches(path).iter().next()?;
            Some((self.urls.get(index)?, path))
        })
    }
}

/// Answers what no route of the core does.
pub(super) fn service(
    server: Arc<Server>,
    table: UrlTable,
) -> impl tower::Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
    let table = Arc::new(table);
    service_fn(move |request| {
        let (server, table) = (Arc::clone(&server), Arc::clone(&table));
        async move { Ok(answer(&server, &table, request).await) }
    })
}

async fn answer(server: &Arc<Server>, table: &UrlTable, mut request: Request) -> Response {
    let came = request.uri().clone();
    let slashed = format!("{}/", came.path());
    let found = table.find(came.path(), &slashed);
    let found = found.and_then(|(url, path)| Some((url, inner_uri(&url.inner_path(path)?, came.query())?)));
    let Some((url, inner)) = found else {
        return Problem::not_found("there is nothing at this path").into_response();
    };
    set_route(&request, &url.route);
    let name = url.owner.metadata.name;
    if let Some(reason) = url.owner.condition.failure() {
        return Problem::of_failed(name, reason).into_response();
    }
    let scope = server.scope(&url.owner, server.clock.now());
    request.extensions_mut().insert(ExtensionContext::of_request(scope, server.store.clone(), deploy::desk(server)));
    request.extensions_mut().insert(Came(came));
    *request.uri_mut() = inner;
    let limit = server.settings.limits.url_timeout();
    match contain::contained(name, limit, url.handlers.clone(), request).await {
        Ok(mut response) => {
            if let Some(problem) = response.extensions_mut().get_mut::<Problem>() {
                problem.extension = Some(name.to_owned());
            }
            response
        }
        Err(fault) => Problem::of_fault(name, &fault).into_response(),
    }
}

async fn restore_uri(mut request: Request) -> Request {
    if let Some(Came(uri)) = request.extensions_mut().remove::<Came>() {
        *request.uri_mut() = uri;
    }
    request
}

fn inner_uri(path: &str, query: Option<&str>) -> Option<Uri> {
    let path_and_query = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(path_and_query).ok().map(Uri::from)
}

impl<S: Send + Sync> FromRequestParts<S> for ExtensionContext {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("an ExtensionContext was asked for outside of the URL of an extension");
            Problem::internal().into_response()
        })
    }
}
