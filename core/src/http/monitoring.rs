//! What is measured of every request, whatever becomes of it: for the page of metrics, and as points for those who hear.

use crate::{
    model::{Point, PointValue, PointValues},
    server::Server,
};
use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    http::{Method, StatusCode, request::Parts},
    response::Response,
};
use chrono::{DateTime, Utc};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

/// The route of what no route matches. Its path is anybody's invention, and must not become a value.
const UNMATCHED: &str = "unmatched";
/// The status of a request whose client has gone, as nginx has it: no answer has this one.
const HUNG_UP: u16 = 499;

/// The points of the request that is being answered. A handler takes it as an argument, and adds what it knows.
///
/// ```
/// # use rivetgun::prelude::*;
/// async fn boot(point: RequestPoint, Path(image): Path<String>) -> String {
///     point.tag("image", "debian-13");
///     point.field("bytes", 1_073_741_824_i64);
///     format!("boots {image}\n")
/// }
/// ```
///
/// Tags are added to both points of a request that fails, fields to that of the series `requests`. What the server itself
/// says, such as `status_code`, cannot be replaced. Where nobody hears of points, nothing is kept.
#[derive(Debug, Clone, Default)]
pub struct RequestPoint(Arc<OfRequest>);

#[derive(Debug, Default)]
struct OfRequest {
    /// Known from the beginning, or found by the table of the URLs of extensions.
    route: OnceLock<Arc<str>>,
    /// Tags and fields; absent where nobody hears of them.
    added: Option<Mutex<(PointValues, PointValues)>>,
}

/// A request that is being answered. One that is dropped before its answer is there was given up by its client.
pub(super) struct Watched {
    server: Arc<Server>,
    id: String,
    method: Method,
    start: Instant,
    /// When it came, where somebody wants to know.
    time: Option<DateTime<Utc>>,
    point: RequestPoint,
    is_answered: bool,
}

impl RequestPoint {
    /// Adds a tag. Of each only a few distinct values may be used; ids are fields.
    pub fn tag(&self, name: &'static str, value: impl Into<PointValue>) {
        self.add(|(tags, _)| drop(tags.insert(name, value.into())));
    }

    /// Adds a field.
    pub fn field(&self, name: &'static str, value: impl Into<PointValue>) {
        self.add(|(_, fields)| drop(fields.insert(name, value.into())));
    }

    fn add(&self, add: impl FnOnce(&mut (PointValues, PointValues))) {
        if let Some(added) = &self.0.added {
            // Nobody but the handlers of this one request has it.
            add(&mut added.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn added(&self) -> (PointValues, PointValues) {
        let mut taken = Default::default();
        self.add(|added| taken = std::mem::take(added));
        taken
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestPoint {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Tells which route answers a request, where that was not known when it came.
pub(super) fn set_route(request: &Request, route: &Arc<str>) {
    if let Some(RequestPoint(of_request)) = request.extensions().get() {
        // It is found once.
        drop(of_request.route.set(Arc::clone(route)));
    }
}

impl Watched {
    /// Begins to watch a request.
    pub(super) fn begin(server: &Arc<Server>, id: &str, request: &mut Request) -> Self {
        let is_heard = server.monitor.is_heard();
        let route = request.extensions().get::<MatchedPath>().map(|path| OnceLock::from(Arc::from(path.as_str())));
        let of_request = OfRequest { route: route.unwrap_or_default(), added: is_heard.then(Mutex::default) };
        let point = RequestPoint(Arc::new(of_request));
        request.extensions_mut().insert(point.clone());
        Self {
            server: Arc::clone(server),
            id: id.to_owned(),
            method: request.method().clone(),
            start: Instant::now(),
            time: is_heard.then(|| server.clock.now()),
            point,
            is_answered: false,
        }
    }

    /// Notes the answer; `code` is that of its error, where it is one of ours.
    pub(super) fn answered(mut self, response: &Response, code: Option<&'static str>) {
        self.is_answered = true;
        self.note(response.status(), code);
    }

    fn note(&self, status: StatusCode, code: Option<&'static str>) {
        let took = self.start.elapsed();
        let route = self.point.0.route.get().map_or(UNMATCHED, |route| route);
        self.server.metrics.count_request(route, method_name(&self.method), status.as_str(), took);
        let Some(time) = self.time else { return };
        let route = self.point.0.route.get().map_or_else(|| UNMATCHED.into(), |route| Arc::clone(route).into());
        let (tags, fields) = self.point.added();
        let own_tags = PointValues::from([
            ("route", route),
            ("method", method_name(&self.method).into()),
            ("status_code", status.as_u16().into()),
        ]);
        let failed = status.is_client_error() || status.is_server_error();
        if failed {
            let code = ("error_code", code.unwrap_or(status.as_str()).into());
            let tags = tags.clone().into_iter().chain(own_tags.clone()).chain([code]).collect();
            self.send("errors", time, tags, PointValues::new());
        }
        let fields = fields.into_iter().chain([("execution_time", took.as_secs_f64().into())]).collect();
        self.send("requests", time, tags.into_iter().chain(own_tags).collect(), fields);
    }

    fn send(&self, series: &'static str, time: DateTime<Utc>, tags: PointValues, fields: PointValues) {
        let point = Point::new(series).at(time).with(tags, fields);
        self.server.monitor.send(point.field("request_id", self.id.as_str()));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.is_answered
            && let Ok(status) = StatusCode::from_u16(HUNG_UP)
        {
            self.note(status, None);
        }
    }
}

/// The methods that HTTP knows; whoever invents others must not make up values with them.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "OTHER",
    }
}
