//! Nodes are provisioned and deployed by the operator's commands, or their documents are left in the outbox.

use crate::common::{
    assign, cluster_with_nodes, commands, contains, each, enable, is_gone, list, node_named, until, work_on,
};
use axum::http::Method;
use rivetgun::testkit::on_both_databases;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

#[test]
fn without_a_command_each_merged_document_is_left_in_the_outbox() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        assign(&server, &cluster, &nodes, &["a"]).await;
        server.put(&format!("/clusters/{cluster}/attributes"), json!({"deep": {"a": [1]}})).await.expect(200);
        for (work, kind) in [("provision", "provisioning"), ("deploy", "deployment")] {
            let path = format!("/clusters/{cluster}/orchestrator/{kind}/defaults?merged=true");
            let expected = server.get(&path).await.expect(200);
            let task = work_on(&server, &cluster, work).await;
            assert_eq!(task["status"], "ready", "{task}");
            let folder = server.state_dir().join("outbox").join(task["uuid"].as_str().expect("a text"));
            for (id, expected) in nodes.iter().zip(list(&expected)) {
                assert_eq!(read_json(&folder.join(format!("{id}.json"))), *expected, "{work}");
            }
            assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 2, "nothing half-written is left");
        }
    });
}

#[test]
fn statuses_roles_and_progress_follow_the_work() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        assign(&server, &cluster, &nodes, &["a", "b"]).await;
        let node = async |id: &Value| server.get(&format!("/nodes/{id}")).await.expect(200);
        let status = async || server.get(&format!("/clusters/{cluster}")).await.expect(200)["status"].clone();
        let answer = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await;
        let pending = answer.expect(202);
        for field in [
            "id",
            "uuid",
            "cluster",
            "name",
            "status",
            "progress",
            "message",
            "result",
            "parent_id",
            "subtasks",
            "dry_run",
            "time_start",
            "time_end",
        ] {
            assert!(pending.get(field).is_some(), "{field}");
        }
        assert_eq!((&pending["name"], &pending["cluster"]), (&json!("provision"), &cluster));
        let task = server.ended(&pending).await;
        assert_eq!(
            (&task["status"], &task["progress"], &task["uuid"]),
            (&json!("ready"), &json!(100), &pending["uuid"])
        );
        assert!(task["time_end"].is_string() && contains(&task["message"], "'c' is done"), "{task}");
        assert_eq!(task["result"][nodes[0].to_string()]["status"], "provisioned");
        assert_eq!(status().await, "partially_deployed");
        for id in &nodes {
            let node = node(id).await;
            assert_eq!((&node["status"], &node["progress"]), (&json!("provisioned"), &json!(100)));
            assert_eq!((&node["roles"], &node["pending_roles"]), (&json!([]), &json!(["a", "b"])));
        }

        let path = format!("/clusters/{cluster}/deploy?nodes={}", nodes[0]);
        let task = server.put(&path, Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["name"], "deployment");
        assert_eq!(
            (node(&nodes[0]).await["status"].clone(), node(&nodes[1]).await["status"].clone()),
            (json!("ready"), json!("provisioned"))
        );
        assert_eq!(status().await, "partially_deployed");
        work_on(&server, &cluster, "deploy").await;
        assert_eq!(status().await, "operational");
        assert_eq!(server.get(&format!("/clusters/{cluster}")).await.expect(200)["changes"], json!([]));
        for id in &nodes {
            let node = node(id).await;
            assert_eq!((&node["roles"], &node["pending_roles"]), (&json!(["a", "b"]), &json!([])));
            assert_eq!((&node["status"], &node["pending_addition"]), (&json!("ready"), &json!(false)));
        }
        let told = server.get("/notifications").await.expect(200);
        let done = list(&told).iter().filter(|told| told["topic"] == "done").count();
        assert_eq!(done, 3, "one a task");
    });
}

#[test]
fn work_that_makes_no_sense_is_refused() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let empty = server.create_cluster("empty").await["id"].clone();
        let (_, strangers) = cluster_with_nodes(&server, "other", 1).await;
        for (path, status, detail) in [
            (format!("{empty}/provision"), 400, "no nodes to provision"),
            (format!("{empty}/deploy"), 400, "no nodes to deploy"),
            (format!("{cluster}/deploy"), 400, "is provisioned; provision them first"),
            (format!("{cluster}/deploy?nodes={}", nodes[0]), 400, "not provisioned"),
            (format!("{cluster}/provision?nodes=999"), 404, "node 999"),
            (format!("{cluster}/provision?nodes={},{}", nodes[0], strangers[0]), 404, "does not exist in cluster"),
            (format!("{cluster}/provision?nodes="), 400, "list of ids"),
            (format!("{cluster}/provision?nodes=x"), 400, "list of ids"),
            (format!("{cluster}/provision?nonsense=1"), 400, "nonsense"),
            (format!("{cluster}/deploy?dry_run=perhaps"), 400, "dry_run"),
            ("999/provision".to_owned(), 404, "cluster 999"),
            ("999/deploy".to_owned(), 404, "cluster 999"),
        ] {
            let problem = server.put(&format!("/clusters/{path}"), Value::Null).await.expect(status);
            assert!(contains(&problem["detail"], detail), "{path}: {problem}");
        }
        assert_eq!(server.get("/tasks").await.expect(200), json!([]));
        work_on(&server, &cluster, "provision").await;
        server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(400);
        work_on(&server, &cluster, "deploy").await;
        server.put(&format!("/clusters/{cluster}/deploy"), Value::Null).await.expect(400);
    });
}

#[test]
fn a_command_gets_its_document_and_its_output_is_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let command = r#"cat > "DIR/$RIVETGUN_TASK.$RIVETGUN_NODE_ID"; echo "$RIVETGUN_WORK of $RIVETGUN_NODE_NAME in $RIVETGUN_CLUSTER"
        echo progress 40; echo progress 400; echo careful >&2"#;
    on_both_databases(&commands(&dir, command, command, 60), async |server| {
        let cluster = server.create_cluster("it's \"c\" $HOME").await["id"].clone();
        let node = node_named(&server, 1, "n").await;
        assign(&server, &cluster, std::slice::from_ref(&node), &["a"]).await;
        for (work, kind, name) in [("provision", "provisioning", "provision"), ("deploy", "deployment", "deployment")] {
            let path = format!("/clusters/{cluster}/orchestrator/{kind}/defaults?merged=true");
            let expected = server.get(&path).await.expect(200);
            let task = work_on(&server, &cluster, work).await;
            assert_eq!(task["status"], "ready", "{task}");
            let file = format!("{}.{node}", task["uuid"].as_str().expect("a text"));
            assert_eq!(read_json(&dir.path().join(file)), expected[0]);
            let log = server.get(&format!("/tasks/{}/log", task["id"])).await.expect(200);
            let lines = |stream: &str| -> Vec<Value> {
                list(&log).iter().filter(|line| line["stream"] == stream).map(|line| line["line"].clone()).collect()
            };
            assert_eq!(lines("stdout"), [json!(format!("{name} of n in it's \"c\" $HOME")), json!("progress 400")]);
            assert_eq!(lines("stderr"), ["careful"]);
            assert!(list(&log).iter().all(|line| line["node"] == node && line["time"].is_string()), "{log}");
            let part = server.get(&format!("/tasks/{}/log?limit=1&offset=1", task["id"])).await;
            assert_eq!(part.header("content-range"), Some("objects 1-1/3"));
        }
        server.get("/tasks/999/log").await.expect(404);
        assert!(!server.state_dir().join("outbox").exists());
    });
}

#[test]
fn a_node_whose_command_fails_tells_why_and_can_be_worked_on_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let provision =
        r#"test "$RIVETGUN_NODE_NAME" = good || { echo first >&2; echo "no disk" >&2; echo later; exit 3; }"#;
    let deploy =
        r#"case "$RIVETGUN_NODE_NAME" in signal) kill -9 $$;; silent) exit 7;; missing) there-is-no-such;; esac"#;
    on_both_databases(&commands(&dir, provision, deploy, 60), async |server| {
        let cluster = server.create_cluster("c").await["id"].clone();
        let (good, bad) = (node_named(&server, 1, "good").await, node_named(&server, 2, "bad").await);
        assign(&server, &cluster, &[good.clone(), bad.clone()], &["a"]).await;
        let task = work_on(&server, &cluster, "provision").await;
        assert_eq!(task["status"], "error");
        assert!(contains(&task["message"], "exit code 3: no disk"), "{task}");
        assert_eq!(server.get(&format!("/clusters/{cluster}")).await.expect(200)["status"], "error");
        assert_eq!(server.get(&format!("/nodes/{good}")).await.expect(200)["status"], "provisioned");
        let failed = server.get(&format!("/nodes/{bad}")).await.expect(200);
        assert_eq!((&failed["status"], &failed["error_type"]), (&json!("error"), &json!("provision")));
        assert!(contains(&failed["error_msg"], "exit code 3: no disk"), "{failed}");
        // A heartbeat does not move it; a person may, and then only it is provisioned.
        server.put("/nodes/agent", json!({"id": bad, "status": "discover"})).await.expect(200);
        assert_eq!(server.get(&format!("/nodes/{bad}")).await.expect(200)["status"], "error");
        server.put(&format!("/nodes/{bad}"), json!({"name": "good"})).await.expect(200);
        let task = work_on(&server, &cluster, "provision").await;
        assert_eq!((&task["status"], task["result"].as_object().map(|nodes| nodes.len())), (&json!("ready"), Some(1)));
        let mended = server.get(&format!("/nodes/{bad}")).await.expect(200);
        assert_eq!((&mended["error_type"], &mended["error_msg"]), (&Value::Null, &Value::Null));

        for (name, detail) in [("signal", "signal"), ("silent", "exit code 7"), ("missing", "exit code 127")] {
            server.put(&format!("/nodes/{bad}"), json!({"name": name})).await.expect(200);
            let path = format!("/clusters/{cluster}/deploy?nodes={bad}");
            let task = server.put(&path, Value::Null).await.expect(202);
            assert!(contains(&server.ended(&task).await["message"], detail), "{name}");
            assert_eq!(server.get(&format!("/nodes/{bad}")).await.expect(200)["error_type"], "deploy");
        }
    });
}

#[test]
fn a_command_that_takes_too_long_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().expect("a directory");
    let provision = r#"if [ "$RIVETGUN_NODE_NAME" = deaf ]; then trap '' TERM; fi
        sleep 1000 & echo $! > "DIR/$RIVETGUN_TASK.$RIVETGUN_NODE_NAME"; wait; sleep 1000"#;
    on_both_databases(&commands(&dir, provision, "true", 1), async |server| {
        let cluster = server.create_cluster("c").await["id"].clone();
        let nodes = [node_named(&server, 1, "polite").await, node_named(&server, 2, "deaf").await];
        assign(&server, &cluster, &nodes, &["a"]).await;
        let task = work_on(&server, &cluster, "provision").await;
        assert_eq!(task["status"], "error");
        for (id, name) in nodes.iter().zip(["polite", "deaf"]) {
            let node = server.get(&format!("/nodes/{id}")).await.expect(200);
            assert!(contains(&node["error_msg"], "longer than 1 s"), "{node}");
            let file = dir.path().join(format!("{}.{name}", task["uuid"].as_str().expect("a text")));
            let child = std::fs::read_to_string(file).expect("the child told its id");
            assert!(is_gone(child.trim()), "the child of {name} lives on");
        }
    });
}

#[test]
fn output_may_be_of_any_size_and_of_any_bytes() {
    let dir = tempfile::tempdir().expect("a directory");
    let provision = r"head -c 1000000 /dev/zero | tr '\0' x; echo; echo after; head -c 100000 /dev/zero | tr '\0' y >&2
        printf '\377\376\000bad\r\n'; echo progress 50; seq 1 12000; echo > DIR/$RIVETGUN_TASK";
    on_both_databases(&commands(&dir, provision, "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = work_on(&server, &cluster, "provision").await;
        assert_eq!(task["status"], "ready", "{task}");
        assert!(dir.path().join(task["uuid"].as_str().expect("a text")).exists(), "the command ran to its end");
        let log = server.get(&format!("/tasks/{}/log?limit=20", task["id"])).await.expect(200);
        let lines: Vec<&str> = each(&log, "line").into_iter().filter_map(Value::as_str).collect();
        for expected in ["(a line of more than 8192 bytes)", "after", "\u{fffd}\u{fffd}\u{fffd}bad", "1"] {
            assert!(lines.contains(&expected), "{expected:?} in {lines:?}");
        }
        let all = server.get(&format!("/tasks/{}/log", task["id"])).await.expect(200);
        assert_eq!(list(&all).len(), 10_000);
        assert!(contains(&list(&all)[9_999]["line"], "the rest is left out"));
    });
}

#[test]
fn a_command_need_not_read_its_document() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, "exec <&-; echo ok", "exit 0", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        // More than a pipe holds.
        let large = json!({"provision": {"large": "x".repeat(1 << 20)}, "large": "x".repeat(1 << 20)});
        server.put(&format!("/clusters/{cluster}/attributes"), large).await.expect(200);
        for work in ["provision", "deploy"] {
            assert_eq!(work_on(&server, &cluster, work).await["status"], "ready", "{work}");
        }
    });
}

#[test]
fn while_a_task_runs_its_cluster_is_not_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let provision = r#"touch "DIR/$RIVETGUN_TASK.$RIVETGUN_NODE_ID"; echo progress 40
        while [ ! -e "DIR/$RIVETGUN_TASK" ]; do sleep 0.05; done"#;
    on_both_databases(&commands(&dir, provision, "true", 60), async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 3).await;
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        let uuid = task["uuid"].as_str().expect("a text");
        until("two nodes are at 40 %", async || {
            each(&server.get("/nodes").await.expect(200), "progress") == [40, 40, 0]
        })
        .await;
        let started = nodes.iter().filter(|id| dir.path().join(format!("{uuid}.{id}")).exists()).count();
        assert_eq!(started, 2, "no more at once than the settings say");
        let running = server.get(&format!("/tasks/{}", task["id"])).await.expect(200);
        assert_eq!(running["status"], "running");
        assert!(running["progress"].as_i64().is_some_and(|progress| (20..40).contains(&progress)), "{running}");
        assert_eq!(each(&server.get("/tasks?status=running").await.expect(200), "id"), [&task["id"]]);
        assert_eq!(server.get(&format!("/clusters/{cluster}")).await.expect(200)["status"], "deployment");
        assert!(
            each(&server.get("/nodes").await.expect(200), "status").iter().all(|status| **status == "provisioning")
        );
        for (method, path, body, status) in [
            (Method::PUT, format!("/clusters/{cluster}/provision"), Value::Null, 409),
            (Method::PUT, format!("/clusters/{cluster}/deploy"), Value::Null, 409),
            (Method::DELETE, format!("/clusters/{cluster}"), Value::Null, 409),
            (Method::DELETE, format!("/tasks/{}", task["id"]), Value::Null, 409),
            (Method::DELETE, format!("/nodes/{}", nodes[0]), Value::Null, 403),
            (Method::PUT, format!("/nodes/{}", nodes[0]), json!({"hostname": "other"}), 403),
        ] {
            crate::common::send(&server, method, &path, &body).await.expect(status);
        }
        // An agent that reports in between changes nothing of it.
        server.put("/nodes/agent", json!({"id": nodes[0], "status": "discover"})).await.expect(200);
        std::fs::write(dir.path().join(uuid), "").expect("the gate opens");
        assert_eq!(server.ended(&task).await["status"], "ready");
        server.delete(&format!("/tasks/{}", task["id"])).await.expect(204);
        server.get(&format!("/tasks/{}", task["id"])).await.expect(404);
    });
}

#[test]
fn only_the_nodes_that_are_named_are_worked_on() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 3).await;
        let path = format!("/clusters/{cluster}/provision?nodes={},{}", nodes[2], nodes[0]);
        let task = server.put(&path, Value::Null).await.expect(202);
        server.ended(&task).await;
        let statuses = server.get("/nodes").await.expect(200);
        assert_eq!(each(&statuses, "status"), ["provisioned", "discover", "provisioned"]);
        assert_eq!(each(&server.get(&format!("/tasks?cluster_id={cluster}")).await.expect(200), "id"), [&task["id"]]);
        assert_eq!(server.get("/tasks?cluster_id=999").await.expect(200), json!([]));
    });
}

#[test]
fn of_two_that_ask_for_work_at_once_one_is_refused() {
    on_both_databases("", async |server| {
        for round in 0..5 {
            let (cluster, _) = cluster_with_nodes(&server, &format!("c{round}"), 2).await;
            let path = format!("/clusters/{cluster}/provision");
            let (first, second) = tokio::join!(server.put(&path, Value::Null), server.put(&path, Value::Null));
            let task = if first.status() == 202 { &first } else { &second };
            server.ended(&task.expect(202)).await;
            // The other one came while the task ran, or when nothing was left to do.
            let other = if first.status() == 202 { second } else { first };
            assert!([400, 409].contains(&other.status()), "{}", other.text());
        }
    });
}

#[test]
fn a_task_that_is_deleted_by_force_leaves_nodes_that_can_be_worked_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let provision = r#"touch "DIR/$RIVETGUN_TASK.begun"; while [ ! -e "DIR/$RIVETGUN_TASK" ]; do sleep 0.05; done"#;
    on_both_databases(&commands(&dir, provision, "true", 60), async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let first = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        let file =
            |task: &Value, end: &str| dir.path().join(format!("{}{end}", task["uuid"].as_str().expect("a text")));
        until("the command runs", async || file(&first, ".begun").exists()).await;
        server.delete(&format!("/tasks/{}?force=true", first["id"])).await.expect(204);
        std::fs::write(file(&first, ""), "").expect("the gate opens");
        let path = format!("/clusters/{cluster}/provision?nodes={}", nodes[0]);
        let second = server.put(&path, Value::Null).await.expect(202);
        std::fs::write(file(&second, ""), "").expect("the gate opens");
        assert_eq!(server.ended(&second).await["status"], "ready");
        assert_eq!(server.get(&format!("/nodes/{}", nodes[0])).await.expect(200)["status"], "provisioned");
        server.delete(&format!("/clusters/{cluster}")).await.expect(202);
    });
}

#[test]
fn a_task_that_is_deleted_by_force_takes_its_commands_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let provision =
        r#"echo $$ > "DIR/$RIVETGUN_TASK.part"; mv "DIR/$RIVETGUN_TASK.part" "DIR/$RIVETGUN_TASK"; exec sleep 1000"#;
    on_both_databases(&commands(&dir, provision, "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        let file = dir.path().join(task["uuid"].as_str().expect("a text"));
        until("the command runs", async || file.exists()).await;
        let pid = std::fs::read_to_string(&file).expect("its id");
        server.delete(&format!("/tasks/{}?force=true", task["id"])).await.expect(204);
        until("the command ends", async || is_gone(pid.trim())).await;
    });
}

#[test]
fn a_command_is_over_when_it_ends_whatever_it_leaves_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, "echo said; sleep 20 & exit 0", "true", 15), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = work_on(&server, &cluster, "provision").await;
        assert_eq!(task["status"], "ready", "{task}");
        let log = server.get(&format!("/tasks/{}/log", task["id"])).await.expect(200);
        assert_eq!(each(&log, "line"), [&json!("said")]);
    });
}

fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("the document is JSON")
}

#[test]
fn what_was_sent_is_kept_once_for_all_nodes_and_once_for_each_with_its_hash() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        enable(&server, &cluster, &["probe"]).await;
        server.put(&format!("/clusters/{cluster}/attributes"), json!({"z": 1, "a": {"b": null}})).await.expect(200);
        let replaced = json!({"common": {"typed": true}, "nodes": {nodes[1].to_string(): {"own": 1.50}}});
        server.put(&format!("/clusters/{cluster}/orchestrator/deployment"), replaced).await.expect(200);
        let provision = work_on(&server, &cluster, "provision").await;
        let dry_run = work_on(&server, &cluster, "deploy?dry_run=true").await;
        let deploy = work_on(&server, &cluster, "deploy").await;

        let info = server.get(&format!("/tasks/{}/deployment_info", deploy["id"])).await.expect(200);
        assert_eq!(info["common"]["typed"], true, "what a person typed was sent");
        assert_eq!(info["nodes"][nodes[1].to_string()], json!({"own": 1.50}));
        assert_eq!(info["nodes"][nodes[0].to_string()]["node_trail"], json!(["probe/Mark", "probe/Second"]));
        for (place, document) in [("common", &info["common"]), ("own", &info["nodes"][nodes[1].to_string()])] {
            let hash = if place == "common" {
                &info["sha256"]["common"]
            } else {
                &info["sha256"]["nodes"][nodes[1].to_string()]
            };
            let expected = Sha256::digest(document.to_string());
            let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(*hash, expected, "{place}");
        }
        let kept = server.get(&format!("/tasks/{}/deployment_info", dry_run["id"])).await.expect(200);
        assert_eq!(kept["sha256"]["nodes"][nodes[1].to_string()], info["sha256"]["nodes"][nodes[1].to_string()]);
        let provisioned = server.get(&format!("/tasks/{}/provisioning_info", provision["id"])).await.expect(200);
        assert_eq!(provisioned["nodes"].as_object().map(serde_json::Map::len), Some(2));
        server.get(&format!("/tasks/{}/provisioning_info", deploy["id"])).await.expect(404);
        server.get("/tasks/999/deployment_info").await.expect(404);

        server.delete(&format!("/tasks/{}", deploy["id"])).await.expect(204);
        server.get(&format!("/tasks/{}/deployment_info", deploy["id"])).await.expect(404);
    });
}

#[test]
fn a_task_whose_pipeline_failed_has_sent_nothing() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "process_provisioning: error", 1).await;
        enable(&server, &cluster, &["probe"]).await;
        let task = work_on(&server, &cluster, "provision").await;
        assert_eq!(task["status"], "error");
        server.get(&format!("/tasks/{}/provisioning_info", task["id"])).await.expect(404);
    });
}
