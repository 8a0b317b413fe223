//! What shows an extension at work in `rivetgun demo`.

use axum::http::Method;
use serde_json::Value;

/// What `rivetgun demo` does on the sample cluster to show an extension at work: files that it writes, settings of the
/// extension that it starts with, and requests that it makes once the extension is enabled. They are shown as the `curl`
/// lines that a user would type, and the data that come of them are explained afterwards.
///
/// The contract suite does the same, and wants every request to succeed.
///
/// ```
/// use rivetgun::prelude::*;
///
/// #[derive(Default)]
/// pub struct Motd;
///
/// #[derive(Debug, Default, serde::Deserialize)]
/// #[serde(default)]
/// pub struct MotdSettings {
///     directory: std::path::PathBuf,
/// }
///
/// #[extension(name = "motd", version = "1.0.0", description = "Messages of the day", settings = MotdSettings)]
/// impl Extension for Motd {
///     fn demo(&self) -> Demo {
///         Demo::new()
///             .file("hello.txt", "Welcome!\n")
///             .settings("directory = '{dir}'")
///             .put("/motd/{cluster_id}", json!({"file": "hello.txt", "nodes": ["{node_id}"]}))
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Demo {
    pub(crate) files: Vec<(String, String)>,
    pub(crate) settings: String,
    pub(crate) requests: Vec<DemoRequest>,
}

/// A request of a demo.
#[derive(Debug, Clone)]
pub(crate) struct DemoRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

/// What the placeholders of a demo stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DemoIds {
    pub(crate) cluster: i64,
    /// The first of the nodes.
    pub(crate) node: i64,
}

impl Demo {
    /// Nothing but what every extension gets: it is enabled, its stages are explained, its URLs are read.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file with this text, in a directory of the extension's own that goes when the demo ends.
    pub fn file(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push((path.into(), text.into()));
        self
    }

    /// Its section of the settings, as TOML. `{dir}` in a text stands for the directory of the files.
    pub fn settings(self, settings: impl Into<String>) -> Self {
        Self { settings: settings.into(), ..self }
    }

    /// A `GET` request. The path stands below `/api/v1`; `{cluster_id}` and `{node_id}` stand for the sample cluster and
    /// the first of its nodes.
    pub fn get(self, path: impl Into<String>) -> Self {
        self.request(Method::GET, path.into(), None)
    }

    /// A `POST` request with a JSON body, in which a text that is a placeholder stands for the number.
    pub fn post(self, path: impl Into<String>, body: Value) -> Self {
        self.request(Method::POST, path.into(), Some(body))
    }

    /// A `PUT` request, like [`post`](Self::post).
    pub fn put(self, path: impl Into<String>, body: Value) -> Self {
        self.request(Method::PUT, path.into(), Some(body))
    }

    /// A `PATCH` request, like [`post`](Self::post).
    pub fn patch(self, path: impl Into<String>, body: Value) -> Self {
        self.request(Method::PATCH, path.into(), Some(body))
    }

    /// A `DELETE` request, like [`get`](Self::get).
    pub fn delete(self, path: impl Into<String>) -> Self {
        self.request(Method::DELETE, path.into(), None)
    }

    fn request(mut self, method: Method, path: String, body: Option<Value>) -> Self {
        self.requests.push(DemoRequest { method, path, body });
        self
    }
}

impl DemoRequest {
    /// The request with ids in place of the placeholders.
    pub(crate) fn filled(&self, ids: DemoIds) -> Self {
        let mut request = self.clone();
        for (placeholder, id) in ids.named() {
            request.path = request.path.replace(placeholder, &id.to_string());
        }
        if let Some(body) = &mut request.body {
            fill(body, ids);
        }
        request
    }
}

impl DemoIds {
    fn named(self) -> [(&'static str, i64); 2] {
        [("{cluster_id}", self.cluster), ("{node_id}", self.node)]
    }
}

fn fill(value: &mut Value, ids: DemoIds) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, ids)),
        Value::Object(object) => object.values_mut().for_each(|value| fill(value, ids)),
        Value::String(text) => {
            if let Some((_, id)) = ids.named().into_iter().find(|(placeholder, _)| text == placeholder) {
                *value = id.into();
            }
        }
        _ => {}
    }
}
