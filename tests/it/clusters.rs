//! Clusters and releases, their attributes, and the nodes that join and leave.

use crate::common::{assign, cluster_with_nodes, contains, each, everything, mac, work_on};
use rivetgun::testkit::on_both_databases;
use serde_json::{Value, json};

#[test]
fn a_cluster_is_made_of_the_default_release() {
    on_both_databases("", async |server| {
        let releases = server.get("/releases").await.expect(200);
        assert_eq!(each(&releases, "name"), ["default"]);
        for field in ["id", "name", "version", "description", "operating_system", "state", "roles", "extensions"] {
            assert!(releases[0].get(field).is_some(), "{field}");
        }
        let cluster = server.create_cluster("one").await;
        for field in
            ["id", "name", "status", "release", "orchestrator", "is_customized", "extensions", "changes", "created_at"]
        {
            assert!(cluster.get(field).is_some(), "{field}");
        }
        assert_eq!((&cluster["status"], &cluster["orchestrator"]), (&json!("new"), &json!("local")));
        assert_eq!(cluster["release"], releases[0]["id"]);
        assert_eq!(server.get(&format!("/clusters/{}", cluster["id"])).await.expect(200), cluster);
        assert_eq!(server.get("/clusters?name=one").await.expect(200), json!([cluster]));
        assert_eq!(server.get("/clusters?name=two").await.expect(200), json!([]));
    });
}

#[test]
fn a_cluster_that_cannot_be_is_refused_and_nothing_is_written() {
    on_both_databases("", async |server| {
        let (_, nodes) = cluster_with_nodes(&server, "taken", 1).await;
        let free = server.discover(&mac(1)).await["id"].clone();
        let long = "a".repeat(101);
        let before = everything(&server).await;
        for (wanted, status, detail) in [
            (json!({}), 400, "name"),
            (json!({"name": ""}), 400, "1 to 100"),
            (json!({"name": "  "}), 400, "1 to 100"),
            (json!({"name": long}), 400, "1 to 100"),
            (json!({"name": 7}), 400, "string"),
            (json!({"name": "x", "nonsense": 1}), 400, "nonsense"),
            (json!({"name": "x", "attributes": []}), 400, "map"),
            (json!({"name": "x", "orchestrator": "nonsense"}), 400, "local"),
            (json!({"name": "x", "nodes": "1"}), 400, "sequence"),
            (json!({"name": "x", "nodes": [free, free]}), 400, "twice"),
            (json!({"name": "x", "release": 99}), 404, "release 99"),
            (json!({"name": "x", "nodes": [free, 999]}), 404, "node 999"),
            (json!({"name": "taken"}), 409, "taken"),
            (json!({"name": "x", "nodes": [free, nodes[0]]}), 409, "assigned to cluster"),
        ] {
            let problem = server.post("/clusters", wanted.clone()).await.expect(status);
            assert!(contains(&problem["detail"], detail), "{wanted}: {problem}");
        }
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn a_cluster_is_made_with_attributes_and_nodes_and_changed() {
    on_both_databases("", async |server| {
        let nodes = [server.discover(&mac(1)).await["id"].clone(), server.discover(&mac(2)).await["id"].clone()];
        let wanted =
            json!({"name": "é 🦀", "attributes": {"a": [1, null]}, "orchestrator": "local", "nodes": [nodes[0]]});
        let cluster = server.post("/clusters", wanted).await.expect(201);
        let path = format!("/clusters/{}", cluster["id"]);
        assert_eq!(cluster["changes"], json!(["attributes", "nodes"]));
        assert_eq!(server.get(&format!("{path}/attributes")).await.expect(200), json!({"a": [1, null]}));
        let node = server.get(&format!("/nodes/{}", nodes[0])).await.expect(200);
        assert_eq!((&node["cluster"], &node["pending_addition"]), (&cluster["id"], &json!(true)));

        let changed = server.put(&path, json!({"name": "new", "nodes": [nodes[1]]})).await.expect(200);
        assert_eq!(changed["name"], "new");
        let members = server.get(&format!("/nodes?cluster_id={}", cluster["id"])).await.expect(200);
        assert_eq!(each(&members, "id"), [&nodes[1]]);
        server.create_cluster("other").await;
        let before = everything(&server).await;
        for (wanted, status) in [
            (json!({"name": "other"}), 409),
            (json!({"name": ""}), 400),
            (json!({"orchestrator": "nonsense"}), 400),
            (json!({"release": 99}), 404),
            (json!({"status": "operational"}), 400),
            (json!({"name": "must not stay", "nodes": [999]}), 404),
        ] {
            server.put(&path, wanted).await.expect(status);
        }
        server.put("/clusters/999", json!({})).await.expect(404);
        server.put(&path, json!({"name": "new"})).await.expect(200);
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn attributes_are_replaced_and_merged() {
    on_both_databases("", async |server| {
        let path = format!("/clusters/{}/attributes", server.create_cluster("c").await["id"]);
        assert_eq!(server.get(&path).await.expect(200), json!({}));
        let odd = json!({"u": u64::MAX, "i": i64::MIN, "f": 0.1, "e": 1e-7, "one": 1.0, "deep": {"a": {"b": [null, {}]}},
            "text": "\u{1f980} \" \\ \n", "": {"~/": true}});
        assert_eq!(server.put(&path, odd.clone()).await.expect(200), odd);
        assert_eq!(server.get(&path).await.expect(200), odd, "what goes in comes out");
        server.put(&path, json!({"a": {"x": 1, "y": 2}, "b": [1, 2]})).await.expect(200);
        let patch = json!({"a": {"x": null, "z": {"n": 3}}, "b": [3], "c": "new"});
        let expected = json!({"a": {"y": 2, "z": {"n": 3}}, "b": [3], "c": "new"});
        assert_eq!(server.patch(&path, patch).await.expect(200), expected);
        assert_eq!(server.get(&path).await.expect(200), expected);
        for malformed in [json!([]), json!("a"), json!(5), json!(null)] {
            server.put(&path, malformed.clone()).await.expect(400);
            server.patch(&path, malformed).await.expect(400);
        }
        assert_eq!(server.get(&path).await.expect(200), expected);
        for method in ["get", "put", "patch"] {
            let method = method.to_uppercase().parse().expect("a method");
            server.request(method, "/clusters/999/attributes", Some("{}".to_owned())).await.expect(404);
        }
        let cluster = server.get("/clusters?name=c").await.expect(200)[0].clone();
        assert_eq!(cluster["changes"], json!(["attributes"]));
    });
}

#[test]
fn nodes_are_assigned_all_or_none() {
    on_both_databases("", async |server| {
        let (_, elsewhere) = cluster_with_nodes(&server, "elsewhere", 1).await;
        let cluster = server.create_cluster("c").await["id"].clone();
        let path = format!("/clusters/{cluster}/assignment");
        let nodes = [server.discover(&mac(1)).await["id"].clone(), server.discover(&mac(2)).await["id"].clone()];
        let before = everything(&server).await;
        for (second, status) in [
            (json!({"id": 999}), 404),
            (json!({"id": elsewhere[0]}), 409),
            (json!({"id": nodes[0], "roles": ["a"]}), 400),
            (json!({"id": nodes[1], "roles": "a"}), 400),
            (json!({"roles": ["a"]}), 400),
            (json!({"id": nodes[1], "nonsense": 1}), 400),
            (json!(7), 400),
        ] {
            server.post(&path, json!([{"id": nodes[0], "roles": ["a"]}, second])).await.expect(status);
        }
        server.post("/clusters/999/assignment", json!([{"id": nodes[0]}])).await.expect(404);
        server.post(&path, json!({"id": nodes[0]})).await.expect(400);
        assert_eq!(everything(&server).await, before);

        assign(&server, &cluster, &nodes, &["b", "a", "b"]).await;
        for id in &nodes {
            let node = server.get(&format!("/nodes/{id}")).await.expect(200);
            assert_eq!((&node["pending_roles"], &node["roles"]), (&json!(["b", "a"]), &json!([])));
            assert_eq!((&node["pending_addition"], &node["cluster"]), (&json!(true), &cluster));
        }
        // Once more, with other roles: the node does not join again.
        assign(&server, &cluster, &nodes, &["c"]).await;
        let rows = server.get("/probe/rows").await.expect(200);
        let joins = rows.as_array().expect("a list").iter().filter(|row| row[0] == "on_node_assign").count();
        assert_eq!(joins, 3, "one for each node, the one elsewhere included");
        assert_eq!(server.get(&format!("/nodes/{}", nodes[0])).await.expect(200)["pending_roles"], json!(["c"]));
        server.post(&path, json!([])).await.expect(200);
    });
}

#[test]
fn a_node_leaves_at_once_or_with_the_next_deployment() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        let (path, free) = (format!("/clusters/{cluster}/unassignment"), server.discover(&mac(1)).await["id"].clone());
        let before = everything(&server).await;
        for (second, status) in [
            (json!({"id": 999}), 404),
            (json!({"id": free}), 400),
            (json!({"id": nodes[0]}), 400),
            (json!({}), 400),
            (json!({"id": nodes[1], "roles": []}), 400),
        ] {
            server.post(&path, json!([{"id": nodes[0]}, second])).await.expect(status);
        }
        server.post("/clusters/999/unassignment", json!([])).await.expect(404);
        assert_eq!(everything(&server).await, before);

        server.post(&path, json!([{"id": nodes[0]}])).await.expect(200);
        let node = server.get(&format!("/nodes/{}", nodes[0])).await.expect(200);
        assert_eq!((&node["cluster"], &node["pending_addition"]), (&Value::Null, &json!(false)));
        work_on(&server, &cluster, "provision").await;
        server.post(&path, json!([{"id": nodes[1]}])).await.expect(200);
        let node = server.get(&format!("/nodes/{}", nodes[1])).await.expect(200);
        assert_eq!((&node["cluster"], &node["pending_deletion"]), (&cluster, &json!(true)));
        // Assigned again, it stays.
        assign(&server, &cluster, &nodes[1..], &[]).await;
        assert_eq!(server.get(&format!("/nodes/{}", nodes[1])).await.expect(200)["pending_deletion"], false);
    });
}

#[test]
fn a_deleted_cluster_sets_untouched_nodes_free_and_takes_the_others_with_it() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        let path = format!("/clusters/{cluster}");
        server.put(&format!("{path}/provision?nodes={}", nodes[1]), json!(null)).await.expect(202);
        let tasks = server.get("/tasks").await.expect(200);
        server.ended(&tasks[0]).await;
        let task = server.delete(&path).await.expect(202);
        assert_eq!((&task["status"], &task["name"]), (&json!("pending"), &json!("cluster_deletion")));
        let task = server.ended(&task).await;
        assert_eq!(task["status"], "ready", "{task}");
        assert!(contains(&task["message"], "1 of its nodes are free again, 1 are deleted"), "{task}");
        server.get(&path).await.expect(404);
        server.delete(&path).await.expect(404);
        let free = server.get(&format!("/nodes/{}", nodes[0])).await.expect(200);
        assert_eq!((&free["cluster"], &free["pending_roles"]), (&Value::Null, &json!([])));
        server.get(&format!("/nodes/{}", nodes[1])).await.expect(404);
        assert_eq!(server.get(&format!("/tasks/{}", task["id"])).await.expect(200), task);
        server.create_cluster("c").await;
    });
}

#[test]
fn a_release_restricts_roles_and_says_whether_clusters_can_be_made_of_it() {
    on_both_databases("", async |server| {
        let wanted = json!({"name": "r", "version": "1", "roles": ["a", "b", "a"], "extensions": ["probe", "additional_logger"]});
        let release = server.post("/releases", wanted.clone()).await.expect(201);
        assert_eq!((&release["roles"], &release["state"]), (&json!(["a", "b"]), &json!("available")));
        let path = format!("/releases/{}", release["id"]);
        assert_eq!(server.get(&path).await.expect(200), release);
        let cluster = server.post("/clusters", json!({"name": "c", "release": release["id"]})).await.expect(201);
        assert_eq!(cluster["extensions"], json!(["additional_logger", "probe"]), "the release's, in the total order");

        let id = server.discover(&mac(1)).await["id"].clone();
        let assignment = format!("/clusters/{}/assignment", cluster["id"]);
        let problem = server.post(&assignment, json!([{"id": id, "roles": ["a", "x"]}])).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], "/0/roles");
        assert!(contains(&problem["detail"], "x are not roles"), "{problem}");
        server.post(&assignment, json!([{"id": id, "roles": ["a"]}])).await.expect(200);
        server.put(&format!("/nodes/{id}"), json!({"pending_roles": ["x"]})).await.expect(400);
        server.put(&format!("/nodes/{id}"), json!({"pending_roles": ["b"]})).await.expect(200);

        for state in ["manageonly", "unavailable"] {
            server.put(&path, json!({"state": state})).await.expect(200);
            let problem = server.post("/clusters", json!({"name": state, "release": release["id"]})).await.expect(409);
            assert!(contains(&problem["detail"], state), "{problem}");
        }
        for (wanted, status) in [
            (wanted, 409),
            (json!({"name": "r"}), 400),
            (json!({"name": "", "version": "1"}), 400),
            (json!({"name": "r", "version": "2", "state": "nonsense"}), 400),
            (json!({"name": "r", "version": "2", "extensions": ["nonsense"]}), 400),
            (json!({"name": "r", "version": "2", "nonsense": 1}), 400),
        ] {
            server.post("/releases", wanted).await.expect(status);
        }
        let default = server.get("/releases").await.expect(200)[0].clone();
        let taken = json!({"name": default["name"], "version": default["version"]});
        server.put(&path, taken).await.expect(409);
        server.get("/releases/999").await.expect(404);
        server.put("/releases/999", json!({})).await.expect(404);
    });
}

#[test]
fn of_changes_at_once_none_is_lost_and_one_of_two_that_contradict_is_refused() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 8).await;
        for round in 0..5 {
            let name = json!({"name": format!("n{round}")});
            let (first, second) = tokio::join!(server.post("/clusters", name.clone()), server.post("/clusters", name));
            let mut statuses = [first.status(), second.status()];
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 409], "{} {}", first.text(), second.text());
        }
        let attributes = format!("/clusters/{cluster}/attributes");
        let extensions = format!("/clusters/{cluster}/extensions");
        let assignment = format!("/clusters/{cluster}/assignment");
        let patch = |key: &str| server.patch(&attributes, json!({key: 1}));
        let answers = tokio::join!(
            patch("a"),
            patch("b"),
            patch("c"),
            server.put(&extensions, json!(["probe"])),
            server.put(&extensions, json!(["additional_logger"])),
            server.post(&assignment, json!([{"id": nodes[0], "roles": ["x"]}])),
        );
        for answer in [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5] {
            answer.expect(200);
        }
        assert_eq!(server.get(&attributes).await.expect(200), json!({"a": 1, "b": 1, "c": 1}));
        assert_eq!(server.get(&extensions).await.expect(200), json!(["additional_logger", "probe"]));
        // Host names are unique in a cluster, whoever was first.
        let (first, second) = (format!("/nodes/{}", nodes[0]), format!("/nodes/{}", nodes[1]));
        let same = json!({"hostname": "same"});
        let (first, second) = tokio::join!(server.put(&first, same.clone()), server.put(&second, same));
        let mut statuses = [first.status(), second.status()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", first.text(), second.text());
    });
}
