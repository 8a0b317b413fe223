//! Requests to a [`TestServer`], through everything that a real request goes through but the network.

use super::TestServer;
use crate::http::AsItIs;
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, Method, header},
};
use http_body_util::BodyExt;
use serde_json::Value;

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    request: String,
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    /// Whether the extension wants it to go out as it is.
    pub(super) is_verbatim: bool,
}

impl TestServer {
    /// `GET`; the path stands below `/api/v1`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, Some(body.to_string())).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PUT, path, Some(body.to_string())).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PATCH, path, Some(body.to_string())).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path, None).await
    }

    /// A request with any method and, as JSON, any body: malformed ones too.
    pub async fn request(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from));
        self.send(request.unwrap_or_else(|error| panic!("{path} makes no request: {error}"))).await
    }

    /// Any request, with its full path.
    pub async fn send(&self, request: Request) -> Answer {
        let described = format!("{} {}", request.method(), request.uri());
        let (parts, body) = self.api.answer(request).await.into_parts();
        let body = body.collect().await.unwrap_or_else(|error| panic!("{described}: the body breaks off: {error}"));
        Answer {
            request: described,
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
            is_verbatim: parts.extensions.get::<AsItIs>().is_some(),
        }
    }
}

impl Answer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The method and the path that were asked for.
    pub(super) fn request(&self) -> &str {
        &self.request
    }

    /// A header, where it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` where it is empty.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text()))
    }

    /// The body, of an answer with this status. One that is an error must be problem details.
    ///
    /// # Panics
    /// When the status is another.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        if status >= 400 {
            let content_type = self.header("content-type").unwrap_or_default();
            assert_eq!(content_type, "application/problem+json", "{}: {}", self.request, self.text());
            let problem = self.json();
            assert_eq!(problem["status"], status, "{problem}");
        }
        if self.header("content-type").is_some_and(|content_type| content_type.starts_with("text/")) {
            return Value::from(self.text());
        }
        self.json()
    }
}
