//! The URLs of extensions: regular expressions with named groups, which the whole path below the base must match.
//!
//! axum keeps the parameters of its own router to itself, so that its `Path` cannot be given the groups of a regular
//! expression. Therefore each pattern has a little router of axum's behind it, with a route for its groups: a request
//! that matches is sent on as `/{group}/{group}`, and `Path`, its types and its errors are axum's own. The handler sees
//! the URI as it came.

mod templates;

pub(crate) use templates::templates;

use crate::{
    contain,
    extension::{ExtensionContext, UrlEntry},
    http::error::Problem,
    registry::{BootProblem, BootProblems, Loaded},
    server::Server,
};
use axum::{
    Router,
    extract::{FromRequestParts, Request},
    http::{Uri, request::Parts, uri::PathAndQuery},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Regex, RegexSet, RegexSetBuilder};
use std::{convert::Infallible, sync::Arc};
use tower::service_fn;

/// Groups that may be absent are a route for each combination.
const MOST_OPTIONAL_GROUPS: usize = 4;

/// Bytes that the automaton of all patterns may have; a thousand of them need a few megabytes.
const SET_SIZE: usize = 256 << 20;

/// All patterns of all extensions, in the total order.
pub(crate) struct UrlTable {
    set: RegexSet,
    urls: Vec<Url>,
}

struct Url {
    owner: Arc<Loaded>,
    regex: Regex,
    handlers: Router,
}

/// The URI as it came, for the handler.
#[derive(Clone)]
struct Came(Uri);

impl UrlTable {
    /// # Errors
    /// Every pattern that cannot be used.
    pub(crate) fn of<'a>(extensions: impl Iterator<Item = &'a Arc<Loaded>>) -> Result<Self, BootProblems> {
        let mut problems = Vec::new();
        let mut urls = Vec::new();
        for owner in extensions {
            for entry in &owner.urls {
                match Url::of(owner, entry) {
                    Ok(url) => urls.push(url),
                    Err(detail) => problems.push(BootProblem::Pattern {
                        extension: owner.metadata.name,
                        file: entry.file,
                        line: entry.line,
                        pattern: entry.pattern,
                        detail,
                    }),
                }
            }
        }
        let set = RegexSetBuilder::new(urls.iter().map(|url| url.regex.as_str())).size_limit(SET_SIZE).build();
        match set {
            Ok(set) if problems.is_empty() => Ok(Self { set, urls }),
            Ok(_) => Err(BootProblems(problems)),
            Err(error) => {
                problems.push(BootProblem::Patterns { count: urls.len(), detail: error.to_string() });
                Err(BootProblems(problems))
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

impl Url {
    fn of(owner: &Arc<Loaded>, entry: &UrlEntry) -> Result<Self, String> {
        let regex = Regex::new(&format!("^(?:{})$", entry.pattern))
            .map_err(|error| format!("is not a regular expression: {error}"))?;
        let groups: Vec<&str> = regex.capture_names().flatten().collect();
        let optional = optional_groups(&regex);
        if optional.len() > MOST_OPTIONAL_GROUPS {
            return Err(format!("has more than {MOST_OPTIONAL_GROUPS} groups that may be absent"));
        }
        let methods = entry.methods.clone().layer(axum::middleware::map_request(restore_uri));
        let mut handlers = Router::new();
        for absent in subsets(&optional) {
            let present: Vec<bool> = groups.iter().map(|group| !absent.contains(group)).collect();
            let segments = groups.iter().zip(&present).filter(|(_, present)| **present);
            let route: String = segments.map(|(group, _)| format!("/{{{group}}}")).collect();
            handlers = handlers.route(&format!("/{}{route}", mask(&present)), methods.clone());
        }
        Ok(Self { owner: Arc::clone(owner), regex, handlers })
    }

    /// The path under which the little router has the handler for the groups of `path`.
    fn inner_path(&self, path: &str) -> Option<String> {
        let captures = self.regex.captures(path)?;
        let groups: Vec<Option<&str>> = self
            .regex
            .capture_names()
            .flatten()
            // An empty segment is no segment to axum, and an empty group says as little as an absent one.
            .map(|group| captures.name(group).map(|matched| matched.as_str()).filter(|text| !text.is_empty()))
            .collect();
        let present: Vec<bool> = groups.iter().map(Option::is_some).collect();
        let mut inner = format!("/{}", mask(&present));
        for text in groups.into_iter().flatten() {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
            inner.push('/');
            inner.extend(utf8_percent_encode(&decoded, NON_ALPHANUMERIC));
        }
        Some(inner)
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
    let name = url.owner.metadata.name;
    let scope = server.scope(&url.owner, server.clock.now());
    request.extensions_mut().insert(ExtensionContext::new(scope, server.store.clone()));
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

/// One digit a group, in the order of the pattern: whether it is there.
fn mask(present: &[bool]) -> String {
    std::iter::once('g').chain(present.iter().map(|present| if *present { '1' } else { '0' })).collect()
}

/// The groups that a path can match without, or with an empty text.
fn optional_groups(regex: &Regex) -> Vec<&str> {
    use regex_syntax::hir::{Capture, Hir, HirKind};
    fn walk(hir: &Hir, inside_optional: bool, optional: &mut Vec<String>) {
        match hir.kind() {
            HirKind::Capture(Capture { name, sub, .. }) => {
                let may_be_empty = sub.properties().minimum_len().is_none_or(|length| length == 0);
                if let (true, Some(name)) = (inside_optional || may_be_empty, name) {
                    optional.push(name.to_string());
                }
                walk(sub, inside_optional, optional);
            }
            HirKind::Repetition(repetition) => walk(&repetition.sub, inside_optional || repetition.min == 0, optional),
            HirKind::Concat(parts) => parts.iter().for_each(|part| walk(part, inside_optional, optional)),
            HirKind::Alternation(parts) => parts.iter().for_each(|part| walk(part, true, optional)),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        }
    }
    let mut optional = Vec::new();
    if let Ok(hir) = regex_syntax::parse(regex.as_str()) {
        walk(&hir, false, &mut optional);
    }
    regex.capture_names().flatten().filter(|name| optional.iter().any(|other| other == name)).collect()
}

fn subsets<'a>(items: &[&'a str]) -> Vec<Vec<&'a str>> {
    items.iter().fold(vec![Vec::new()], |subsets, item| {
        let with_item = subsets.iter().map(|subset| [subset.as_slice(), &[*item]].concat());
        subsets.iter().cloned().chain(with_item).collect()
    })
}
