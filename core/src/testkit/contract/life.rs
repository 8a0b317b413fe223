//! A life of nodes and clusters, in which every hook is called, each within its time limit.

use super::{
    Subject, check,
    sample::{Sample, discovery, made},
};
use axum::http::Method;
use serde_json::{Value, json};

check!(LIFE = "its hooks neither fail nor take long", lived);

async fn lived(subject: &Subject) {
    let server = &subject.server;
    let Some(Sample { cluster, nodes }) = Sample::make(subject).await else { return };
    let path = format!("/clusters/{cluster}");
    let enabling = format!("{path}/extensions");
    let name = subject.metadata.name;
    let group = server.post("/nodegroups", json!({"cluster_id": cluster, "name": "rack"})).await;
    let group = made(subject, &group).unwrap_or_default()["id"].clone();
    let mut provisioned = false;
    for (method, path, body) in [
        (Method::PUT, enabling.clone(), json!([name])),
        (Method::PUT, "/nodes/agent".to_owned(), discovery(subject, 1)),
        (Method::PUT, format!("/nodes/{}", nodes[0]), json!({"labels": {"a": "b"}, "hostname": "contract"})),
        (Method::PUT, format!("/nodes/{}", nodes[0]), json!({"group_id": group})),
        (Method::DELETE, format!("/nodegroups/{group}"), Value::Null),
        (Method::PUT, path.clone(), json!({"name": "contract, renamed"})),
        (Method::PATCH, format!("{path}/attributes"), json!({"contract": {"a": 1}})),
        (Method::POST, format!("{path}/unassignment"), json!([{"id": nodes[2]}])),
        (Method::PUT, format!("{path}/provision"), Value::Null),
        (Method::PUT, format!("{path}/deploy"), Value::Null),
        (Method::POST, format!("{path}/unassignment"), json!([{"id": nodes[1]}])),
        (Method::DELETE, format!("{enabling}?extension_names={name}"), Value::Null),
        (Method::PUT, enabling, json!([name])),
        (Method::DELETE, format!("/nodes?ids={},{}", nodes[1], nodes[2]), Value::Null),
        (Method::DELETE, format!("{path}?force=true"), Value::Null),
    ] {
        // What was refused before cannot be gone on with: a group that is not there, nodes that are not provisioned.
        let needs_group = path == format!("/nodegroups/{group}") || body.get("group_id").is_some();
        if (needs_group && group.is_null()) || (path.ends_with("/deploy") && !provisioned) {
            continue;
        }
        let body = if body.is_null() { None } else { Some(body.to_string()) };
        let answer = server.request(method, &path, body).await;
        let Some(answer) = made(subject, &answer) else { continue };
        provisioned |= path.ends_with("/provision");
        if answer["time_start"].is_string() {
            let task = server.ended(&answer).await;
            if task["extension"] == name {
                subject.find(format!("the task {} failed in it: {}", task["name"], task["message"]));
            }
        }
    }
    if server.get(&path).await.status() != 404 {
        subject.find("a cluster that is deleted by force is still there");
    }
    let listed = server.get(&format!("/extensions/{name}")).await.expect(200);
    if listed["status"] != "running" {
        subject.find(format!("it is {} after a life of nodes and clusters: {}", listed["status"], listed["reason"]));
    }
}
