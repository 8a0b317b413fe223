//! Outgoing data: what people set, what pipelines make of it, and what people lay over that.

use crate::{
    common::{assign, cluster_with_nodes, contains, each, enable, everything, list, work_on},
    events::the_log_tells_all,
};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Map, Value, json};

const ALL: [&str; 3] = ["additional_logger", "probe", "bystander"];

#[test]
fn data_are_split_and_the_keys_of_rivetgun_filled_in() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        assign(&server, &cluster, &nodes[..1], &["a"]).await;
        let attributes = json!({"shared": {"x": 1}, "provision": {"image": "i"}});
        server.put(&format!("/clusters/{cluster}/attributes"), attributes).await.expect(200);
        let own = json!({"shared": {"y": 2}, "uid": "77", "provision": {"image": "other"}});
        server.put(&format!("/nodes/{}", nodes[0]), json!({"attributes": own})).await.expect(200);
        let hardware = json!({"id": nodes[1], "meta": {"disks": [{"size": 1}], "interfaces": []}});
        server.put("/nodes/agent", hardware).await.expect(200);

        let data = defaults(&server, &cluster, "deployment", "").await;
        assert_eq!(data["common"]["shared"], json!({"x": 1}));
        assert_eq!(data["common"]["cluster"], json!({"id": cluster, "name": "c"}));
        let first = &data["nodes"][nodes[0].to_string()];
        assert_eq!((&first["uid"], &first["shared"], &first["roles"]), (&json!("77"), &json!({"y": 2}), &json!(["a"])));
        let second = &data["nodes"][nodes[1].to_string()];
        assert_eq!(
            (&second["uid"], &second["hostname"]),
            (&json!(nodes[1].to_string()), &json!(format!("node-{}", nodes[1])))
        );
        for key in ["uid", "name", "hostname", "fqdn", "mac", "roles"] {
            assert!(first.get(key).is_some() && second.get(key).is_some(), "{key}");
        }

        let data = defaults(&server, &cluster, "provisioning", "").await;
        assert_eq!(data["common"]["image"], "i");
        assert_eq!(data["nodes"][nodes[0].to_string()]["image"], "other");
        assert_eq!(data["nodes"][nodes[1].to_string()]["disks"], json!([{"size": 1}]));
    });
}

#[test]
fn the_merged_list_is_what_merging_the_split_data_gives() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 3).await;
        let attributes = json!({"o": {"a": 1, "deep": {"l": [1], "n": null}}, "s": 1, "l": [1, 2]});
        server.put(&format!("/clusters/{cluster}/attributes"), attributes).await.expect(200);
        let own = json!({"o": {"deep": {"l": [], "m": 2}}, "s": {"now": "an object"}, "l": null});
        server.put(&format!("/nodes/{}", nodes[1]), json!({"attributes": own})).await.expect(200);
        for kind in ["deployment", "provisioning"] {
            let split = defaults(&server, &cluster, kind, "").await;
            let merged = defaults(&server, &cluster, kind, "?merged=true").await;
            let expected: Vec<Value> =
                nodes.iter().map(|id| merge(&split["common"], &split["nodes"][id.to_string()])).collect();
            assert_eq!(merged, json!(expected), "{kind}");
            let some =
                defaults(&server, &cluster, kind, &format!("?merged=true&nodes={},{}", nodes[2], nodes[0])).await;
            assert_eq!(some, json!([expected[0], expected[2]]), "{kind}");
        }
        let empty = server.create_cluster("empty").await["id"].clone();
        assert_eq!(defaults(&server, &empty, "deployment", "?merged=true").await, json!([]));
        assert_eq!(defaults(&server, &empty, "deployment", "").await["nodes"], json!({}));
        let path = format!("/clusters/{cluster}/orchestrator");
        server.get(&format!("{path}/nonsense/defaults")).await.expect(404);
        server.get("/clusters/999/orchestrator/deployment/defaults").await.expect(404);
        for query in ["nodes=999", "nodes=", "nodes=x", "merged=perhaps", "nonsense=1"] {
            server.get(&format!("{path}/deployment/defaults?{query}")).await.expect(400);
        }
    });
}

#[test]
fn stages_run_in_the_total_order_and_get_what_was_prepared_once() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 3).await;
        server.put(&format!("/clusters/{cluster}/attributes"), json!({"secret": "s"})).await.expect(200);
        let plain = defaults(&server, &cluster, "deployment", "").await;
        assert!(plain["common"].get("trail").is_none(), "no extension is enabled");

        enable(&server, &cluster, &ALL).await;
        let data = defaults(&server, &cluster, "deployment", "").await;
        assert_eq!(data["common"]["trail"], json!(["probe/Mark", "probe/Second", "bystander/TheWitness"]));
        assert!(contains(&data["common"]["time_started"], "deployment started at"));
        assert_eq!(data["common"]["prepared"]["secret"], "s");
        assert_eq!(data["common"]["prepared"]["nodes"], json!(nodes));
        assert_eq!(data["common"]["witness"], json!({"documents": nodes, "listed": nodes}));
        for id in &nodes {
            let document = &data["nodes"][id.to_string()];
            assert_eq!(document["node_trail"], json!(["probe/Mark", "probe/Second"]));
            assert_eq!(
                document["prepared_number"], data["common"]["prepared"]["number"],
                "prepared once for all nodes"
            );
            assert_eq!(document["own_name"], document["name"]);
        }
        let again = defaults(&server, &cluster, "deployment", "").await;
        assert_ne!(again["common"]["prepared"]["number"], data["common"]["prepared"]["number"]);
        let provisioning = defaults(&server, &cluster, "provisioning", &format!("?nodes={}", nodes[1])).await;
        assert_eq!(provisioning["common"]["trail"], json!(["probe/Mark"]));
        assert_eq!(provisioning["common"]["prepared"]["nodes"], json!([nodes[1]]), "the nodes that are meant");
    });
}

#[test]
fn a_get_writes_nothing_and_calls_no_hook() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 2).await;
        enable(&server, &cluster, &ALL).await;
        let before = everything(&server).await;
        for kind in ["deployment", "provisioning"] {
            defaults(&server, &cluster, kind, "").await;
            defaults(&server, &cluster, kind, "?merged=true").await;
        }
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn what_a_person_typed_is_laid_over_what_pipelines_made() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 3).await;
        enable(&server, &cluster, &ALL).await;
        work_on(&server, &cluster, "provision").await;
        let path = format!("/clusters/{cluster}/orchestrator/deployment");
        let typed = json!({"common": {"typed": "by a person", "witness": {"more": 1}}, "nodes": {
            nodes[1].to_string(): {"mine": true, "typed_for_node": "by a person"}}});
        assert_eq!(server.get(&path).await.expect(200), json!({"common": {}, "nodes": {}}));
        assert_eq!(server.put(&path, typed.clone()).await.expect(200), typed);
        assert_eq!(server.get(&path).await.expect(200), typed);
        assert_eq!(server.get(&format!("/clusters/{cluster}")).await.expect(200)["is_customized"], true);
        let ignored = defaults(&server, &cluster, "deployment", "").await;
        assert_eq!(ignored["common"]["typed"], "by a pipeline", "the defaults know no customisation");

        let task = work_on(&server, &cluster, "deploy").await;
        assert_eq!(task["status"], "ready", "{task}");
        let sent = outbox(&server, &task);
        let others = json!([nodes[0], nodes[2]]);
        for id in &nodes {
            let document = &sent[id.to_string()];
            assert_eq!(document["typed"], "by a person");
            assert_eq!(
                document["witness"],
                json!({"documents": others, "listed": others, "more": 1}),
                "no stage saw it"
            );
        }
        let replaced = &sent[nodes[1].to_string()];
        assert_eq!((&replaced["mine"], &replaced["typed_for_node"]), (&json!(true), &json!("by a person")));
        assert!(replaced.get("node_trail").is_none() && replaced.get("mac").is_none(), "{replaced}");
        assert_eq!(sent[nodes[0].to_string()]["typed_for_node"], "by a pipeline");

        server.delete(&path).await.expect(204);
        assert_eq!(server.get(&path).await.expect(200), json!({"common": {}, "nodes": {}}));
        assert_eq!(server.get(&format!("/clusters/{cluster}")).await.expect(200)["is_customized"], false);
    });
}

#[test]
fn customisations_of_the_two_kinds_are_apart_and_a_wrong_one_is_refused() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let (_, strangers) = cluster_with_nodes(&server, "other", 1).await;
        let path = |kind: &str| format!("/clusters/{cluster}/orchestrator/{kind}");
        let is_customized =
            async || server.get(&format!("/clusters/{cluster}")).await.expect(200)["is_customized"].clone();
        let of_node = json!({"common": {}, "nodes": {nodes[0].to_string(): {}}});
        server.put(&path("provisioning"), of_node.clone()).await.expect(200);
        server.put(&path("deployment"), json!({"common": {"a": 1}})).await.expect(200);
        server.delete(&path("deployment")).await.expect(204);
        assert_eq!(is_customized().await, true, "the other kind is left");
        assert_eq!(server.get(&path("provisioning")).await.expect(200), of_node, "an empty document replaces as well");
        let before = everything(&server).await;
        for wanted in [
            json!({"nodes": {strangers[0].to_string(): {}}}),
            json!({"nodes": {"999": {}}, "common": {"must": "not stay"}}),
            json!({"nodes": {"x": {}}}),
            json!({"nodes": []}),
            json!({"nodes": {nodes[0].to_string(): []}}),
            json!({"common": []}),
            json!({"nonsense": {}}),
            json!(null),
        ] {
            server.put(&path("deployment"), wanted).await.expect(400);
        }
        let two = json!({"nodes": {"998": {}, "999": {}}});
        let problem = server.put(&path("deployment"), two).await.expect(400);
        assert_eq!(each(&problem["errors"], "pointer"), ["/nodes/998", "/nodes/999"]);
        for method in ["get", "delete"] {
            let method: axum::http::Method = method.to_uppercase().parse().expect("a method");
            server.request(method.clone(), &path("nonsense"), None).await.expect(404);
            server.request(method, "/clusters/999/orchestrator/deployment", None).await.expect(404);
        }
        assert_eq!(everything(&server).await, before);
        server.delete(&path("provisioning")).await.expect(204);
        assert_eq!(is_customized().await, false);
    });
}

#[test]
fn a_node_takes_its_customisation_with_it_and_the_log_tells() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 3).await;
        let (of_cluster, path) =
            (format!("/clusters/{cluster}"), format!("/clusters/{cluster}/orchestrator/deployment"));
        let documents: Map<String, Value> = nodes.iter().map(|id| (id.to_string(), json!({"mine": id}))).collect();
        server.put(&path, json!({"nodes": documents})).await.expect(200);
        let left = async || {
            let shown = server.get(&path).await.expect(200);
            let told = server.get("/events?filter=clusters.customise.*").await.expect(200);
            let told = list(&told).last().expect("an event").clone();
            assert_eq!(told["object"], json!({"kind": "deployment", "customisation": shown}));
            let is_customized = server.get(&of_cluster).await.expect(200)["is_customized"].clone();
            (shown["nodes"].as_object().expect("an object").len(), is_customized)
        };
        assert_eq!(left().await, (3, json!(true)));
        let unassigned = json!([{"id": nodes[0]}]);
        server.post(&format!("{of_cluster}/unassignment"), unassigned).await.expect(200);
        assert_eq!(left().await, (2, json!(true)));
        server.delete(&format!("/nodes/{}", nodes[1])).await.expect(200);
        assert_eq!(left().await, (1, json!(true)));
        server.put(&of_cluster, json!({"nodes": []})).await.expect(200);
        assert_eq!(left().await, (0, json!(false)));
        the_log_tells_all(&server).await;
    });
}

#[test]
fn a_failing_stage_stops_the_task_before_anything_was_sent_or_changed() {
    on_both_databases("[limits]\nstage_timeout_ms = 1000", async |server| {
        for (stage, how, status, detail) in [
            ("prepare", "error", 500, "failed"),
            ("prepare", "panic", 500, "panicked"),
            ("prepare", "hang", 504, "took longer than 1000 ms"),
            ("process_provisioning", "error", 500, "failed"),
            ("process_provisioning", "invalid", 422, "the attribute `disk` is missing"),
            ("process_provisioning", "panic", 500, "panicked"),
            ("process_provisioning", "block", 504, "took longer than 1000 ms"),
            ("process_provisioning_for_node", "error", 500, "failed"),
            ("process_provisioning_for_node", "invalid", 422, "the attribute `disk` is missing"),
            ("process_provisioning_for_node", "panic", 500, "panicked"),
        ] {
            let (cluster, _) = cluster_with_nodes(&server, &format!("{stage}: {how}"), 3).await;
            enable(&server, &cluster, &ALL).await;
            let (nodes, path) = (server.get("/nodes").await.expect(200), format!("/clusters/{cluster}"));
            let cluster_before = server.get(&path).await.expect(200);
            let task = work_on(&server, &cluster, "provision").await;
            assert_eq!(
                (&task["status"], &task["extension"]),
                (&json!("error"), &json!("probe")),
                "{stage} {how}: {task}"
            );
            for part in ["Mark", stage, detail] {
                assert!(contains(&task["message"], part), "{part} in {task}");
            }
            assert!(!task.to_string().contains("secret"), "{task}");
            assert_eq!(server.get("/nodes").await.expect(200), nodes, "{stage} {how}");
            assert_eq!(server.get(&path).await.expect(200), cluster_before, "{stage} {how}");

            let problem = server.get(&format!("{path}/orchestrator/provisioning/defaults")).await.expect(status);
            assert_eq!(problem["extension"], "probe", "{stage} {how}");
            assert!(contains(&problem["detail"], detail) && contains(&problem["detail"], "Mark"), "{problem}");
            assert!(!problem.to_string().contains("secret"), "{problem}");
        }
        assert!(!server.state_dir().join("outbox").exists(), "something was sent");
    });
}

#[test]
fn the_document_of_one_node_can_fail_the_whole_task() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 3).await;
        enable(&server, &cluster, &["probe"]).await;
        work_on(&server, &cluster, "provision").await;
        assign(&server, &cluster, &nodes, &["a"]).await;
        server
            .put(&format!("/nodes/{}", nodes[1]), json!({"name": "process_deployment_for_node: panic"}))
            .await
            .expect(200);
        let before = server.get("/nodes").await.expect(200);
        let task = work_on(&server, &cluster, "deploy").await;
        assert_eq!((&task["status"], &task["extension"]), (&json!("error"), &json!("probe")));
        assert_eq!(server.get("/nodes").await.expect(200), before, "roles and statuses stay");
        assert!(!server.state_dir().join("outbox").join(task["uuid"].as_str().expect("a text")).exists());

        // Who is not in the task cannot fail it.
        let path = format!("/clusters/{cluster}/deploy?nodes={},{}", nodes[0], nodes[2]);
        let task = server.put(&path, Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
    });
}

#[test]
fn a_dry_run_does_all_but_the_dispatch() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        enable(&server, &cluster, &ALL).await;
        assign(&server, &cluster, &nodes, &["a"]).await;
        work_on(&server, &cluster, "provision").await;
        let before = server.get("/nodes").await.expect(200);
        let task = work_on(&server, &cluster, "deploy?dry_run=true").await;
        assert_eq!((&task["status"], &task["dry_run"]), (&json!("ready"), &json!(true)));
        assert_eq!(server.get("/nodes").await.expect(200), before);
        assert!(!server.state_dir().join("outbox").join(task["uuid"].as_str().expect("a text")).exists());
        let rows = server.get("/probe/rows").await.expect(200);
        let checks = list(&rows).iter().filter(|row| row[0] == "on_before_deployment_check").count();
        assert_eq!(checks, 2, "one for the provisioning, one for the dry run");

        server.put(&format!("/clusters/{cluster}"), json!({"name": "process_deployment: panic"})).await.expect(200);
        let task = work_on(&server, &cluster, "deploy?dry_run=true").await;
        assert_eq!(
            (&task["status"], &task["extension"]),
            (&json!("error"), &json!("probe")),
            "a dry run finds the fault"
        );
    });
}

async fn defaults(server: &TestServer, cluster: &Value, kind: &str, query: &str) -> Value {
    server.get(&format!("/clusters/{cluster}/orchestrator/{kind}/defaults{query}")).await.expect(200)
}

/// The documents that a task left in the outbox, by node.
fn outbox(server: &TestServer, task: &Value) -> Value {
    let folder = server.state_dir().join("outbox").join(task["uuid"].as_str().expect("a text"));
    let files = std::fs::read_dir(folder).expect("the outbox is there").map(|entry| entry.expect("an entry").path());
    let documents = files.map(|path| {
        let node = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("the document can be read");
        (node, serde_json::from_str(&text).expect("the document is JSON"))
    });
    Value::Object(documents.collect())
}

/// Objects key by key at every depth; everything else is replaced.
fn merge(base: &Value, over: &Value) -> Value {
    let (Value::Object(base), Value::Object(over)) = (base, over) else { return over.clone() };
    let mut merged = base.clone();
    for (key, value) in over {
        let value = merged.get(key).map_or_else(|| value.clone(), |below| merge(below, value));
        merged.insert(key.clone(), value);
    }
    Value::Object(merged)
}
