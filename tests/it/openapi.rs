//! The OpenAPI document is well-formed, is the one that is kept in the repository, and is true: every operation is called,
//! and refused in each way that all of its kind can be.

use crate::{
    common::{contains, each, enable, list},
    document::{Document, METHODS, Operation},
    process::run,
    routes::{There, method_of, refused},
};
use axum::{body::Body, http::Request};
use rivetgun::testkit::{Answer, TestServer, on_both_databases};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What operations are called with: the query and the body. One that has neither needs no example.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("clusters.assign", "", r#"[{"id": {node}, "roles": ["controller"]}]"#),
    ("clusters.create", "", r#"{"name": "example", "attributes": {"a": {"b": 1}}, "nodes": []}"#),
    ("clusters.delete", "?force=true", ""),
    ("clusters.list", "?name=there1&limit=1&offset=0&order_by=-name", ""),
    ("clusters.patch_attributes", "", r#"{"a": null, "b": 2}"#),
    ("clusters.set_attributes", "", r#"{"a": {"b": 1}}"#),
    ("clusters.unassign", "", r#"[{"id": {node}}]"#),
    ("clusters.update", "", r#"{"name": "renamed"}"#),
    ("data.defaults", "?nodes={node}", ""),
    ("data.defaults", "?merged=true", ""),
    ("data.explain", "?nodes={node}", ""),
    ("data.store", "", r#"{"common": {"a": 1}, "nodes": {"{node}": {"b": null}}}"#),
    ("dead_letters.drop_them", "?subscription=s&sequences=1,2", ""),
    ("dead_letters.list", "?subscription=s&limit=1&offset=0&order_by=-time", ""),
    ("dead_letters.replay", "", r#"{"subscription": "", "sequences": [1]}"#),
    ("events.publish", "", r#"{"type": "builds", "action": "done", "key": "7", "object": {"ok": true}}"#),
    ("events.stream", "?filter=nodes.*.*&after=0&limit=1", ""),
    ("events.log", "?filter=nodes.create,update.*+clusters.*.*&after=1&limit=5", ""),
    ("extensions.disable", "?extension_names=bystander", ""),
    ("extensions.enable", "", r#"["probe"]"#),
    ("nodegroups.create", "", r#"{"cluster_id": {cluster}, "name": "rack"}"#),
    ("nodegroups.list", "?cluster_id={cluster}", ""),
    ("nodegroups.update", "", r#"{"name": "row"}"#),
    (
        "nodes.create",
        "",
        r#"{"mac": "02:00:00:99:00:01", "status": "discover", "meta": {"interfaces": []}, "agent": 7}"#,
    ),
    ("nodes.delete_all", "?ids={node}", ""),
    ("nodes.heard_of", "", r#"{"id": {node}, "agent_checksum": "c"}"#),
    ("nodes.heard_of", "", r#"{"id": {node}, "agent_checksum": "c"}"#),
    ("nodes.list", "?cluster_id={cluster}&status=provisioned&role=controller&online=true", ""),
    ("nodes.list", "?cluster_id=", ""),
    ("nodes.update", "", r#"{"name": "renamed", "labels": {"rack": "7"}, "group_id": null}"#),
    ("nodes.update_all", "", r#"[{"id": {node}, "name": "renamed"}]"#),
    ("notifications.mark", "", r#"{"status": "read"}"#),
    ("releases.create", "", r#"{"name": "example", "version": "1", "roles": ["controller"]}"#),
    ("releases.update", "", r#"{"description": "what clusters are made of", "state": "available"}"#),
    ("work.delete", "?force=false", ""),
    ("work.deploy", "?nodes={node}&dry_run=true", ""),
    ("work.list", "?cluster_id={cluster}&status=ready", ""),
    ("work.log", "?limit=1", ""),
    ("work.log", "?follow=true", ""),
    ("work.provision", "?nodes={node}", ""),
    ("probe.post./probe/body", "", r#"{"text": "hello"}"#),
    ("probe.put./probe/number/{number}", "", "{}"),
    (
        "config_overlay.post./config_overlay/repos",
        "",
        r#"{"repo_name": "there", "env_id": {cluster}, "path": "there"}"#,
    ),
    ("config_overlay.post./clusters/{cluster_id}/config_overlay/whitelist", "", r#"{"rule": "/ntp"}"#),
    ("volume_manager.put./nodes/{node_id}/disks", "", r#"[{"id": "sda", "size": 0, "volumes": []}]"#),
    (REPORT, "", r#"{"task": "00000000-0000-0000-0000-000000000000", "status": "done"}"#),
];

/// Takes what is signed, and nothing else; what it answers to that is told by the tests of its extension.
const REPORT: &str = "webhook_orchestrator.post./tasks/{uuid}/report";

/// Takes a handshake, and nothing else; the tests of the WebSocket have one.
const SOCKET: &str = "events.socket";

/// The document of the distribution.
const KEPT: &str = include_str!("../../openapi.json");

#[test]
fn the_document_of_the_distribution_is_the_one_in_the_repository() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = run(dir.path(), &["openapi"]).expect(0).stdout;
    let line = written.lines().zip(KEPT.lines()).position(|(written, kept)| written != kept);
    assert!(
        written == KEPT,
        "from line {line:?} on, openapi.json is another; `cargo run -- openapi >openapi.json` renews it"
    );
    assert!(!dir.path().join("state").exists(), "the document needs no state");
}

#[test]
fn the_document_is_well_formed() {
    on_both_databases("", async |server| {
        let document = Document::of(&server).await;
        assert_eq!(document.0["openapi"], "3.1.0");
        let tags: Vec<String> = each(&document.0["tags"], "name").into_iter().map(Value::to_string).collect();
        assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len(), "{tags:?}");
        let mut ids = BTreeSet::new();
        for operation in document.operations() {
            let id = operation.id();
            assert!(ids.insert(id), "{id} is there twice");
            assert!(METHODS.contains(&operation.method), "{id}");
            for tag in list(&operation.described["tags"]) {
                assert!(tags.contains(&tag.to_string()), "{id} has the tag {tag}, which is not described");
            }
            assert!(is_text(&operation.described["summary"]), "{id} says not what it does");
            let in_path = operation.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
            let in_path: BTreeSet<&str> = in_path.collect();
            assert_eq!(operation.parameters("path").into_iter().collect::<BTreeSet<_>>(), in_path, "{id}");
            for parameter in operation.described.get("parameters").map_or(&Vec::new(), list) {
                assert!(parameter["in"] != "path" || parameter["required"] == true, "{id}: {parameter}");
                assert!(operation.is_of_extension() || is_text(&parameter["description"]), "{id}: {parameter}");
                document.validator(&parameter["schema"], false);
            }
            for (status, response) in operation.described["responses"].as_object().expect("responses") {
                assert!(is_text(&document.resolve(response)["description"]), "{id}: {status}");
            }
        }
        let shapes: Vec<String> =
            document.0["paths"].as_object().expect("paths").keys().map(|path| shape(path)).collect();
        assert_eq!(shapes.iter().collect::<BTreeSet<_>>().len(), shapes.len(), "two paths differ in names only");
        let mut references = BTreeSet::new();
        find_references(&document, &document.0, &mut references);
        for kind in ["schemas", "responses"] {
            for (name, component) in document.0["components"][kind].as_object().expect("components") {
                let path = format!("#/components/{kind}/{name}");
                assert!(references.contains(path.as_str()), "nothing refers to {path}");
                assert!(is_text(&component["description"]), "{path} says not what it is");
                for (field, property) in component["properties"].as_object().into_iter().flatten() {
                    let described = document.resolve(property);
                    let described = is_text(&property["description"])
                        || is_text(&described["description"])
                        || property.get("oneOf").is_some();
                    assert!(described, "{path} says not what {field} is");
                }
            }
        }
    });
}

/// Provisions the nodes of a cluster again, with the word on which the command of the test goes on for ever.
async fn begin_what_does_not_end(server: &TestServer, cluster: &Value) {
    let attributes = json!({"provision": {"endless": true}});
    server.patch(&format!("/clusters/{cluster}/attributes"), attributes).await.expect(200);
    let nodes = server.get(&format!("/nodes?cluster_id={cluster}")).await.expect(200);
    let again = format!("/clusters/{cluster}/provision?nodes={}", nodes[0]["id"]);
    let task = server.put(&again, Value::Null).await.expect(202);
    server.wait_for(&format!("/tasks/{}", task["id"]), |task| task["status"] == "running").await;
}

#[test]
fn every_operation_answers_what_the_document_says() {
    let endless = "[orchestrators.local]\nprovision = 'if grep -q endless; then exec sleep 1000; fi'";
    let root = std::env::temp_dir();
    let settings = format!("{endless}\n[extensions.config_overlay]\nroot = '{}'", root.display());
    on_both_databases(&settings, async |server| {
        let document = Document::of(&server).await;
        let operations = called(&document);
        let known: BTreeSet<&str> = operations.iter().map(|operation| operation.id()).collect();
        for (id, ..) in EXAMPLES {
            assert!(known.contains(id), "there is an example of {id}, and no such operation");
        }
        let mut calls = Vec::new();
        for operation in operations {
            let mut examples: Vec<_> = EXAMPLES.iter().filter(|(id, ..)| *id == operation.id()).collect();
            if examples.is_empty() {
                assert!(!operation.has_body(), "operation {} has no example", operation.id());
                examples.push(&("", "", ""));
            }
            let there = There::called(&server, &format!("there{}", calls.len())).await;
            enable(&server, &there.cluster, &["bystander"]).await;
            calls.push((operation, there, examples));
        }
        for (operation, there, examples) in &calls {
            for (_, query, body) in examples {
                let (query, body) = (there.path(query), there.path(body));
                if operation.has_body() {
                    let schema = &operation.described["requestBody"]["content"]["application/json"]["schema"];
                    let value: Value = serde_json::from_str(&body).expect("an example is JSON");
                    let mistakes = document.mistakes(schema, &value, false);
                    assert_eq!(mistakes, "", "the example of {} is not of its schema", operation.id());
                }
                let path = format!("{}{query}", operation.path_in(there));
                if operation.id() == "work.stop" {
                    begin_what_does_not_end(&server, &there.cluster).await;
                }
                let answer = call(&server, *operation, &path, &body).await;
                if operation.id() == REPORT {
                    assert_eq!(refused(&answer), 401, "{path}");
                } else if operation.id() == SOCKET {
                    assert_eq!(refused(&answer), 400, "{path}");
                } else {
                    assert!(answer.status() < 300, "{} {path}: {} {}", operation.id(), answer.status(), answer.text());
                }
                document.check(*operation, &answer);
            }
        }
    });
}

#[test]
fn every_operation_refuses_what_the_document_says() {
    on_both_databases("[limits]\nbody_bytes = 2000", async |server| {
        let document = Document::of(&server).await;
        let there = There::in_it(&server).await;
        for operation in document.operations().into_iter().filter(|operation| !operation.is_of_extension()) {
            let id = operation.id();
            let path = operation.path_in(&there);
            let check = |expected: u16, answer: &Answer| {
                assert_eq!(refused(answer), expected, "{id} {}", answer.text());
                document.check(operation, answer);
            };
            if operation.has_body() {
                for malformed in ["{", "\"text\"", "7"] {
                    check(400, &call(&server, operation, &path, malformed).await);
                }
                check(413, &call(&server, operation, &path, &format!("[\"{}\"]", "x".repeat(2000))).await);
                check(415, &call_as(&server, operation, &path, "text/plain", "{}").await);
            }
            if operation.is_list() {
                check(416, &call(&server, operation, &format!("{path}?offset=1000000"), "").await);
                check(400, &call(&server, operation, &format!("{path}?order_by=nonsense"), "").await);
            }
            if !operation.parameters("path").is_empty() {
                let required = EXAMPLES.iter().find(|(known, ..)| *known == id).copied().unwrap_or_default();
                let path = format!("{}{}", operation.path_to_nothing(), there.path(required.1));
                check(404, &call(&server, operation, &path, &there.path(required.2)).await);
            }
            let unknown = call(&server, operation, &format!("{}?nonsense=1", operation.path_to_nothing()), "{").await;
            let mut taken = fields_that_it_takes(&unknown);
            let mut described = operation.parameters("query");
            taken.sort_unstable();
            described.sort_unstable();
            assert_eq!(taken, described, "the query of {id}");
        }
    });
}

#[test]
fn a_method_that_the_document_does_not_have_is_refused_and_told() {
    on_both_databases("", async |server| {
        let document = Document::of(&server).await;
        let there = There::in_it(&server).await;
        let operations = called(&document);
        for operation in &operations {
            let siblings = operations.iter().filter(|sibling| sibling.path == operation.path);
            let known: BTreeSet<String> = siblings.map(|sibling| sibling.method.to_uppercase()).collect();
            for method in METHODS.into_iter().map(str::to_uppercase).filter(|method| !known.contains(method)) {
                let request = Request::builder().method(method.as_str()).uri(operation.path_in(&there));
                let answer = server.send(request.body(Body::empty()).expect("a request")).await;
                assert_eq!(refused(&answer), 405, "{method} {}", operation.path);
                let allowed =
                    answer.header("allow").expect("it tells the methods").split(',').filter(|method| *method != "HEAD");
                assert_eq!(allowed.map(str::to_owned).collect::<BTreeSet<_>>(), known, "{}", operation.path);
            }
        }
    });
}

#[test]
fn the_page_and_all_that_it_loads_come_from_this_server() {
    on_both_databases("", async |server| {
        let get = async |path: &str| server.send(Request::get(path).body(Body::empty()).expect("a request")).await;
        let page = get("/docs/").await;
        assert_eq!((page.status(), get("/docs").await.text()), (200, page.text()));
        let text = page.text();
        assert!(!text.contains("://"), "the page names another site: {text}");
        let loaded: Vec<&str> = text.split('"').filter(|part| part.starts_with('/')).collect();
        assert!(loaded.len() >= 4, "{loaded:?}");
        for path in loaded {
            let answer = get(path).await;
            assert_eq!(answer.status(), 200, "{path}");
            assert!(!answer.text().is_empty(), "{path}");
        }
        assert_eq!(refused(&get("/docs/nothing.js").await), 404);
    });
}

/// The operations of the distribution, and those of `probe`, whose patterns are of every kind. Other extensions of the
/// tests are there for other tests, and what only an extension makes is called by its own.
fn called(document: &Document) -> Vec<Operation<'_>> {
    let distribution = Document(serde_json::from_str(KEPT).expect("the document is JSON"));
    let distribution: BTreeSet<&str> = distribution.operations().iter().map(|operation| operation.id()).collect();
    let wanted =
        |operation: &Operation<'_>| distribution.contains(operation.id()) || operation.id().starts_with("probe.");
    document.operations().into_iter().filter(wanted).filter(|operation| operation.is_about_what_is_there()).collect()
}

async fn call(server: &TestServer, operation: Operation<'_>, path: &str, body: &str) -> Answer {
    call_as(server, operation, path, "application/json", body).await
}

async fn call_as(server: &TestServer, operation: Operation<'_>, path: &str, content_type: &str, body: &str) -> Answer {
    let method = method_of(&operation.method.to_uppercase());
    let request = Request::builder().method(method).uri(path).header("content-type", content_type);
    server.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

/// The fields that a query may have, as the refusal of another tells them.
fn fields_that_it_takes(answer: &Answer) -> Vec<String> {
    if answer.status() != 400 || !contains(&answer.json()["detail"], "unknown field `nonsense`") {
        return Vec::new();
    }
    let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
    let fields = detail.split("expected").nth(1).unwrap_or_default().split('`').skip(1).step_by(2);
    fields.map(str::to_owned).collect()
}

/// A path without the names of its parameters.
fn shape(path: &str) -> String {
    let segments = path.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    segments.collect::<Vec<_>>().join("{}")
}

fn find_references<'d>(document: &'d Document, value: &'d Value, found: &mut BTreeSet<&'d str>) {
    if let Some(path) = value.get("$ref").and_then(Value::as_str) {
        document.resolve(value);
        found.insert(path);
    }
    match value {
        Value::Object(object) => object.values().for_each(|value| find_references(document, value, found)),
        Value::Array(items) => items.iter().for_each(|value| find_references(document, value, found)),
        _ => {}
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}
