//! Which reports follow a request: bodies for `POST /tasks/{uuid}/report`, in order. Who sends them puts `task` in.

use serde_json::{Value, json};

/// Every node is half done, and then all are done.
#[must_use]
pub fn done(request: &Value) -> Vec<Value> {
    vec![halfway(request), json!({"status": "done"})]
}

/// Nothing is reported.
#[must_use]
pub fn nothing(_request: &Value) -> Vec<Value> {
    Vec::new()
}

/// The work on one node fails, and then that on all others is done.
pub fn node_fails(node: i64, reason: &str) -> impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static {
    let reason = reason.to_owned();
    move |request| {
        let failed = json!({"nodes": [{"id": node, "status": "failed", "message": reason}]});
        vec![halfway(request), failed, json!({"status": "done"})]
    }
}

/// One node after the other is done: the task ends with the last of them.
#[must_use]
pub fn one_by_one(request: &Value) -> Vec<Value> {
    nodes(request).map(|id| json!({"nodes": [{"id": id, "status": "done"}]})).collect()
}

fn halfway(request: &Value) -> Value {
    let nodes: Value = nodes(request).map(|id| json!({"id": id, "status": "running", "progress": 50})).collect();
    json!({"nodes": nodes})
}

fn nodes(request: &Value) -> impl Iterator<Item = &Value> {
    request["nodes"].as_array().into_iter().flatten().map(|node| &node["id"])
}
