//! What is sent, against the messages that were captured from Nailgun.

use crate::bench::with_nodes;
use astute_worker::Received;
use rivetgun::{
    prelude::{Value, json},
    testkit::skip,
};
use std::{collections::BTreeSet, path::Path};

#[test]
fn a_provisioning_looks_like_nailgun_s() {
    with_nodes(2, "", async |bench| {
        bench.work("provision", "ready").await;
        let sent = &bench.worker.received(1).await[0];
        assert_eq!(sent.compression.as_deref(), Some("application/x-gzip"));
        assert_eq!(sent.envelope["respond_to"], "provision_resp");
        let info = &sent.args()["provisioning_info"];
        assert_eq!(info["engine"]["master_ip"], "127.0.0.1");
        let hostname = &bench.each("hostname").await[0];
        let node = &info["nodes"][0];
        assert_eq!((&node["uid"], &node["name"]), (&json!(bench.nodes[0].to_string()), hostname));
        assert_eq!((&node["slave_name"], &node["mac"]), (hostname, &json!("02:00:00:00:00:01")));
        has_the_shape_of(sent, "amqp_changes_4nodes.json", 0, &["fault_tolerance"]);
    });
}

#[test]
fn a_deployment_looks_like_nailgun_s_and_brings_the_data_as_yaml() {
    with_nodes(2, "", async |bench| {
        let path = format!("/clusters/{}/attributes", bench.cluster);
        let tasks = json!([{"id": "globals", "type": "puppet", "parameters": {"timeout": 3600}},
            {"id": "hosts", "type": "puppet", "requires": [{"name": "globals", "node_id": null}]}]);
        let tricky =
            json!({"yes": "no", "octal": "0o17", "time": "12:30:45", "folded": "a\n  b ".repeat(40), "none": null});
        bench.server.patch(&path, json!({"tasks": tasks, "tricky": tricky})).await.expect(200);
        bench.work("provision", "ready").await;
        let merged = format!("/clusters/{}/orchestrator/deployment/defaults?merged=true", bench.cluster);
        let mut expected = bench.server.get(&merged).await.expect(200);
        bench.work("deploy", "ready").await;
        let received = bench.worker.received(2).await;
        let sent = &received[1];
        let graph = &sent.args()["tasks_graph"];
        let own = &graph[bench.nodes[0].to_string()];
        let upload = &own[0];
        assert_eq!((&upload["id"], &upload["type"]), (&json!("upload_configuration"), &json!("upload_file")));
        let file = format!("/etc/fuel/cluster/{}/astute.yaml", bench.cluster);
        assert_eq!(upload["parameters"]["path"], file);
        let yaml = upload["parameters"]["data"].as_str().expect("a text");
        let document: Value = serde_saphyr::from_str(yaml).expect("it is YAML");
        let first = expected[0].take();
        assert_eq!(document, first);
        for quoted in ["'no'", "'0o17'", "'12:30:45'"] {
            assert!(yaml.contains(quoted) || yaml.contains(&quoted.replace('\'', "\"")), "{quoted} in {yaml}");
        }
        let ids: Vec<&Value> = own.as_array().expect("a list").iter().map(|task| &task["id"]).collect();
        assert_eq!(ids, ["upload_configuration", "globals", "hosts"]);
        assert_eq!(own[1]["requires"], json!([{"name": "deploy_start", "node_id": null}]));
        assert_eq!(own[2]["requires"], tasks[1]["requires"]);
        assert_eq!((&sent.args()["debug"], &sent.args()["dry_run"]), (&json!(true), &json!(false)));
        has_the_shape_of(sent, "amqp_changes_4nodes.json", 1, &[]);
    });
}

#[test]
fn stops_resets_and_removals_look_like_nailgun_s() {
    with_nodes(2, "", async |bench| {
        bench.worker.hold_all();
        bench.begin("provision").await;
        bench.worker.received(1).await;
        bench.work("stop", "ready").await;
        bench.worker.release();
        bench.work("provision", "ready").await;
        bench.work("reset", "ready").await;
        bench.work("provision", "ready").await;
        let deletion = bench.server.delete(&format!("/clusters/{}", bench.cluster)).await.expect(202);
        bench.server.ended(&deletion).await;
        let received = bench.worker.received(6).await;
        has_the_shape_of(&received[1], "amqp_stop.json", 0, &[]);
        has_the_shape_of(&received[3], "amqp_reset.json", 0, &[]);
        let removed = &received[5].args()["nodes"][0];
        let keys: BTreeSet<&str> = removed.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["id", "mclient_remove", "roles", "slave_name", "uid"]));
    });
}

/// Whether a message has all that Nailgun's has, in the same places, as far as that is not the data's own affair.
#[track_caller]
fn has_the_shape_of(sent: &Received, file: &str, place: usize, but: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nailgun").join(file);
    let Ok(text) = std::fs::File::open(path).and_then(std::io::read_to_string) else {
        return skip("captured messages", "shared/data is not beside the repository");
    };
    let captured: Value = serde_json::from_str(&text).expect("it is JSON");
    let captured = captured.get(place).unwrap_or(&captured);
    let missing: Vec<String> = shape(captured).difference(&shape(&sent.envelope)).cloned().collect();
    let missing: Vec<&String> = missing.iter().filter(|path| !but.iter().any(|but| path.contains(but))).collect();
    assert!(missing.is_empty(), "{file}: {missing:?} are not in {}", sent.envelope);
}

/// The paths of what is in an envelope. Below a node's data and the parameters of a task everybody puts what they like.
fn shape(envelope: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
        paths.insert(path.to_owned());
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    // Nodes are called by their ids, tasks have parameters of their own.
                    let key = if key.parse::<i64>().is_ok() { "#" } else { key };
                    if !matches!(key, "master" | "engine" | "pre_provision" | "fault_tolerance_groups") {
                        walk(value, &format!("{path}/{key}"), paths);
                    }
                }
            }
            Value::Array(list) if path.ends_with("nodes") && path.contains("provisioning_info") => {
                for key in ["uid", "name", "slave_name", "hostname"] {
                    if list.iter().all(|node| node.get(key).is_some()) {
                        paths.insert(format!("{path}/{key}"));
                    }
                }
            }
            Value::Array(list) if path.contains("tasks_graph") => {
                for task in list {
                    if path.ends_with("null") || task["id"] == "upload_configuration" {
                        paths.insert(format!("{path}/{}", task["id"]));
                        walk(task, &format!("{path}/{}", task["type"]), paths);
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, &format!("{path}/*"), paths)),
            _ => {}
        }
    }
    let mut paths = BTreeSet::new();
    walk(envelope, "", &mut paths);
    paths
}
