//! Nodes are discovered, heard of, changed and deleted.

use crate::common::{assign, cluster_with_nodes, contains, each, everything, list, mac, shared, work_on};
use axum::http::Method;
use rivetgun::testkit::{on_both_databases, skip};
use serde_json::{Value, json};

#[test]
fn a_mac_is_known_once_whichever_interface_it_belongs_to() {
    on_both_databases("", async |server| {
        let body =
            json!({"mac": "64:C3:54:54:D2:66", "meta": {"interfaces": [{"mac": "64:c3:54:54:d2:67"}, {"mac": ""}]}});
        let node = server.post("/nodes", body.clone()).await.expect(201);
        assert_eq!(node["mac"], "64:c3:54:54:d2:66");
        assert_eq!(node["hostname"], format!("node-{}", node["id"]));
        let problem = server.post("/nodes", body).await.expect(409);
        assert_eq!(problem["detail"], "node with mac 64:c3:54:54:d2:66 already exists");
        let problem = server.post("/nodes", json!({"mac": "64:c3:54:54:d2:67"})).await.expect(409);
        assert_eq!(problem["code"], "RG0409");
    });
}

#[test]
fn a_new_node_has_every_field_of_the_api() {
    on_both_databases("", async |server| {
        let node = server.post("/nodes", json!({"mac": mac(1), "ip": "10.0.0.7", "name": "s1"})).await.expect(201);
        let fields = "id uuid mac ip name hostname fqdn status progress online timestamp roles pending_roles \
            pending_addition pending_deletion cluster group_id os_platform manufacturer meta labels attributes error_type \
            error_msg extensions";
        let mut expected: Vec<&str> = fields.split_whitespace().collect();
        let mut found: Vec<&String> = node.as_object().expect("an object").keys().collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(node["fqdn"], format!("node-{}.internal", node["id"]));
        assert_eq!(
            (&node["status"], &node["online"], &node["cluster"]),
            (&json!("discover"), &json!(true), &Value::Null)
        );
        assert!(contains(&node["timestamp"], "T"));
        assert_eq!(server.get(&format!("/nodes/{}", node["id"])).await.expect(200), node);
        let unnamed = server.discover("02:00:00:00:ab:cd").await;
        assert_eq!(unnamed["name"], "Untitled (ab:cd)");
        let told = server.get("/notifications").await.expect(200);
        assert_eq!(each(&told, "topic"), ["discover", "discover"]);
        assert_eq!(each(&told, "node"), [&node["id"], &unnamed["id"]]);
    });
}

#[test]
fn the_payload_of_a_real_agent_is_taken() {
    let Some(path) = shared("nailgun/POST_nodes_request.json") else {
        return skip("../shared/data/nailgun", "the folder is not there");
    };
    let payload = std::fs::read_to_string(path).expect("the file can be read");
    let payload: Value = serde_json::from_str(&payload).expect("the file is JSON");
    on_both_databases("", async |server| {
        let node = server.post("/nodes", payload.clone()).await.expect(201);
        for field in ["mac", "ip", "name", "manufacturer", "meta", "status"] {
            assert_eq!(node[field], payload[field], "{field}");
        }
        let id = &node["id"];
        assert_eq!(server.put("/nodes/agent", payload.clone()).await.expect(200), json!({"id": id}));
        for interface in list(&payload["meta"]["interfaces"]).iter().filter(|interface| interface["mac"].is_string()) {
            let by_interface = json!({"mac": interface["mac"]});
            server.post("/nodes", by_interface.clone()).await.expect(409);
            assert_eq!(server.put("/nodes/agent", by_interface).await.expect(200)["id"], *id);
        }
    });
}

#[test]
fn a_payload_that_names_no_new_node_is_refused_and_nothing_is_written() {
    on_both_databases("", async |server| {
        server.discover(&mac(1)).await;
        let before = everything(&server).await;
        let interfaces = |interfaces: Value| json!({"mac": mac(2), "meta": {"interfaces": interfaces}});
        for (payload, status) in [
            (json!({}), 400),
            (json!({"mac": null}), 400),
            (json!({"mac": ""}), 400),
            (json!({"mac": "nonsense"}), 400),
            (json!({"mac": 5}), 400),
            (json!({"mac": mac(2), "status": "nonsense"}), 400),
            (json!({"mac": mac(2), "meta": []}), 400),
            (json!({"mac": mac(2), "name": 7}), 400),
            (interfaces(json!("eth0")), 400),
            (interfaces(json!([{"mac": "nonsense"}])), 400),
            (interfaces(json!([{"mac": 7}])), 400),
            (json!({"mac": mac(2), "status": "ready"}), 403),
            (json!({"mac": mac(2), "status": "provisioned"}), 403),
            (json!({"mac": mac(1)}), 409),
            (interfaces(json!([{"mac": mac(1).to_uppercase()}])), 409),
        ] {
            let answer = server.post("/nodes", payload.clone()).await;
            assert_eq!(answer.status(), status, "{payload}: {}", answer.text());
            answer.expect(status);
        }
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn an_agent_is_recognised_by_its_mac_an_interface_or_its_id() {
    on_both_databases("", async |server| {
        let body = json!({"mac": mac(1), "meta": {"interfaces": [{"mac": mac(2)}, {"name": "lo"}, {"mac": null}]}});
        let id = server.post("/nodes", body).await.expect(201)["id"].clone();
        for report in [
            json!({"mac": mac(1)}),
            json!({"mac": mac(2)}),
            json!({"mac": mac(9), "meta": {"interfaces": [{"mac": mac(2)}]}}),
            json!({"id": id}),
            json!({"id": id, "mac": mac(1), "status": "discover", "unheard_of": {"x": 1}}),
        ] {
            assert_eq!(server.put("/nodes/agent", report.clone()).await.expect(200), json!({"id": id}), "{report}");
        }
        server.put("/nodes/agent", json!({"mac": mac(3)})).await.expect(404);
        server.put("/nodes/agent", json!({"id": 999})).await.expect(404);
        server.put("/nodes/agent", json!({})).await.expect(400);
        server.put("/nodes/agent", json!({"mac": "nonsense"})).await.expect(400);
    });
}

#[test]
fn an_unchanged_checksum_touches_nothing_but_the_time() {
    on_both_databases("", async |server| {
        let body = json!({"mac": mac(1), "agent_checksum": "a", "meta": {"disks": [{"size": 1}]}});
        let before = server.post("/nodes", body).await.expect(201);
        let rows = server.get("/probe/rows").await.expect(200);
        let report = json!({"mac": mac(1), "agent_checksum": "a", "ip": "10.0.0.9", "meta": {"disks": [{"size": 2}]}});
        let heard = server.put("/nodes/agent", report.clone()).await.expect(200);
        assert_eq!(heard, json!({"id": before["id"], "cached": true}));
        let mut after = server.get(&format!("/nodes/{}", before["id"])).await.expect(200);
        assert_ne!(after["timestamp"], before["timestamp"]);
        after["timestamp"] = before["timestamp"].clone();
        assert_eq!(after, before);
        assert_eq!(server.get("/probe/rows").await.expect(200), rows, "a heartbeat calls no hook");

        let mut report = report;
        report["agent_checksum"] = "b".into();
        assert_eq!(server.put("/nodes/agent", report.clone()).await.expect(200), json!({"id": before["id"]}));
        assert_eq!(server.put("/nodes/agent", report).await.expect(200)["cached"], true);
        let after = server.get(&format!("/nodes/{}", before["id"])).await.expect(200);
        assert_eq!((&after["ip"], &after["meta"]["disks"][0]["size"]), (&json!("10.0.0.9"), &json!(2)));
    });
}

#[test]
fn hardware_is_taken_only_while_nothing_was_done_to_the_node() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let path = format!("/nodes/{}", nodes[0]);
        let report =
            |size: u64| json!({"id": nodes[0], "meta": {"disks": [{"size": size}], "memory": {"total": size}}});
        let disks = async || server.get(&path).await.expect(200)["meta"]["disks"].clone();
        server.put("/nodes/agent", report(1)).await.expect(200);
        assert_eq!(disks().await, json!([{"size": 1}]));
        for empty in [json!({"disks": []}), json!({"cpu": {"total": 2}}), json!({"disks": null})] {
            server.put("/nodes/agent", json!({"id": nodes[0], "meta": empty})).await.expect(200);
            assert_eq!(disks().await, json!([{"size": 1}]), "{empty} replaced known disks");
        }
        work_on(&server, &cluster, "provision").await;
        server.put("/nodes/agent", report(2)).await.expect(200);
        assert_eq!(disks().await, json!([{"size": 1}]));
        server.put("/nodes/agent", json!({"id": nodes[0], "status": "discover"})).await.expect(200);
        assert_eq!(server.get(&path).await.expect(200)["status"], "provisioned", "no agent moves a node back");
    });
}

#[test]
fn a_list_is_filtered_ordered_and_cut() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        assign(&server, &cluster, &nodes[..1], &["controller"]).await;
        let free = server.post("/nodes", json!({"mac": mac(1), "name": "zz"})).await.expect(201)["id"].clone();
        for (query, expected) in [
            ("", vec![&nodes[0], &nodes[1], &free]),
            ("?cluster_id=", vec![&free]),
            (&format!("?cluster_id={cluster}"), vec![&nodes[0], &nodes[1]]),
            ("?cluster_id=99", vec![]),
            ("?status=discover&cluster_id=", vec![&free]),
            ("?status=ready", vec![]),
            ("?role=controller", vec![&nodes[0]]),
            ("?role=control", vec![]),
            ("?online=true", vec![&nodes[0], &nodes[1], &free]),
            ("?online=false", vec![]),
            ("?order_by=-id", vec![&free, &nodes[1], &nodes[0]]),
            ("?order_by=-name&limit=1", vec![&free]),
            ("?limit=1&offset=1", vec![&nodes[1]]),
            ("?limit=0", vec![]),
            ("?offset=3", vec![]),
        ] {
            assert_eq!(each(&server.get(&format!("/nodes{query}")).await.expect(200), "id"), expected, "{query}");
        }
        for (query, range) in [
            ("", "objects 0-2/3"),
            ("?limit=2", "objects 0-1/3"),
            ("?limit=2&offset=2", "objects 2-2/3"),
            ("?limit=0", "objects */3"),
            ("?status=ready", "objects */0"),
        ] {
            assert_eq!(server.get(&format!("/nodes{query}")).await.header("content-range"), Some(range), "{query}");
        }
        for (query, status) in [
            ("?offset=4", 416),
            ("?order_by=nonsense", 400),
            ("?limit=-1", 400),
            ("?limit=x", 400),
            ("?status=nonsense", 400),
            ("?online=perhaps", 400),
            ("?cluster_id=x", 400),
            ("?nonsense=1", 400),
        ] {
            server.get(&format!("/nodes{query}")).await.expect(status);
        }
        assert_eq!(server.get("/nodes/allocation/stats").await.expect(200), json!({"total": 3, "unallocated": 1}));
    });
}

#[test]
fn a_person_changes_a_node_and_an_absent_field_stays() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let path = format!("/nodes/{}", nodes[0]);
        let wanted = json!({"name": "n", "labels": {"rack": "7"}, "attributes": {"a": {"b": null}}, "group_id": null,
            "pending_roles": ["b", "a", "b"], "hostname": "host-7", "extensions": ["probe", "additional_logger"]});
        let node = server.put(&path, wanted.clone()).await.expect(200);
        for field in ["name", "labels", "attributes", "hostname"] {
            assert_eq!(node[field], wanted[field], "{field}");
        }
        assert_eq!(node["pending_roles"], json!(["b", "a"]));
        assert_eq!(node["extensions"], json!(["additional_logger", "probe"]), "in the total order");
        assert_eq!(node["fqdn"], "host-7.internal");
        assert_eq!(node["cluster"], cluster);
        assert!(node["group_id"].is_i64(), "without a group it is in the default one: {node}");
        assert_eq!(server.put(&path, json!({})).await.expect(200), node);
        let before = everything(&server).await;
        for (wanted, status) in [
            (json!({"status": "ready"}), 400),
            (json!({"mac": mac(9)}), 400),
            (json!({"cluster": null}), 400),
            (json!({"labels": []}), 400),
            (json!({"name": 7}), 400),
            (json!({"roles": "controller"}), 400),
            (json!({"group_id": 99}), 400),
            (json!({"extensions": ["nonsense"]}), 400),
        ] {
            server.put(&path, wanted).await.expect(status);
        }
        server.put("/nodes/999", json!({"name": "n"})).await.expect(404);
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn host_names_are_well_formed_unique_in_their_cluster_and_fixed_once_provisioned() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        let (first, second) = (format!("/nodes/{}", nodes[0]), format!("/nodes/{}", nodes[1]));
        server.put(&first, json!({"hostname": "a.example.org"})).await.expect(200);
        let long = "a".repeat(64);
        for malformed in ["", "-a", "a-", "a_b", "a b", "a..b", ".a", "é", "a/b", &long] {
            let problem = server.put(&first, json!({"hostname": malformed})).await.expect(400);
            assert_eq!(problem["errors"][0]["pointer"], "/hostname", "{malformed}");
        }
        server.put(&second, json!({"hostname": "a.example.org"})).await.expect(409);
        // Free nodes may have the same name; they may not join one cluster with it.
        let free = server.discover(&mac(1)).await["id"].clone();
        server.put(&format!("/nodes/{free}"), json!({"hostname": "a.example.org"})).await.expect(200);
        server.post(&format!("/clusters/{cluster}/assignment"), json!([{"id": free}])).await.expect(409);
        work_on(&server, &cluster, "provision").await;
        server.put(&first, json!({"hostname": "other"})).await.expect(403);
        server.put(&first, json!({"hostname": "a.example.org", "name": "same"})).await.expect(200);
    });
}

#[test]
fn several_nodes_are_changed_all_or_none() {
    on_both_databases("", async |server| {
        let (first, second) = (server.discover(&mac(1)).await, server.discover(&mac(2)).await);
        let wanted = json!([{"id": first["id"], "name": "a"}, {"mac": mac(2).to_uppercase(), "name": "b"}]);
        let changed = server.put("/nodes", wanted).await.expect(200);
        assert_eq!(each(&changed, "id"), [&first["id"], &second["id"]]);
        assert_eq!(each(&changed, "name"), ["a", "b"]);
        let before = everything(&server).await;
        for (second, status) in [
            (json!({"id": 999, "name": "x"}), 404),
            (json!({"mac": mac(9), "name": "x"}), 404),
            (json!({"name": "x"}), 400),
            (json!({"id": second["id"], "name": 5}), 400),
            (json!({"id": second["id"], "status": "ready"}), 400),
            (json!({"id": second["id"], "hostname": "-"}), 400),
            (json!({"mac": "nonsense"}), 400),
            (json!({"id": "1"}), 400),
            (json!(null), 400),
        ] {
            let wanted = json!([{"id": first["id"], "name": "must not stay"}, second]);
            server.put("/nodes", wanted).await.expect(status);
        }
        let problem = server.put("/nodes", json!([{}, {"id": first["id"], "name": 5}])).await.expect(400);
        assert!(contains(&problem["errors"][0]["pointer"], "/"), "{problem}");
        server.put("/nodes", json!({"id": first["id"]})).await.expect(400);
        assert_eq!(server.put("/nodes", json!([])).await.expect(200), json!([]));
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn nodes_are_deleted_alone_and_together() {
    on_both_databases("", async |server| {
        let (_, nodes) = cluster_with_nodes(&server, "c", 3).await;
        let task = server.delete(&format!("/nodes/{}", nodes[0])).await.expect(200);
        assert_eq!((&task["status"], &task["name"]), (&json!("ready"), &json!("node_deletion")));
        server.get(&format!("/nodes/{}", nodes[0])).await.expect(404);
        let before = everything(&server).await;
        server.delete(&format!("/nodes/{}", nodes[0])).await.expect(404);
        server.delete(&format!("/nodes?ids={},999", nodes[1])).await.expect(404);
        for malformed in ["/nodes", "/nodes?ids=", "/nodes?ids=x", "/nodes?ids=1,,2", "/nodes?ids=1&nonsense=1"] {
            server.delete(malformed).await.expect(400);
        }
        assert_eq!(everything(&server).await, before);
        let ids = format!("{0},{1},{0}", nodes[1], nodes[2]);
        server.request(Method::DELETE, &format!("/nodes?ids={ids}"), None).await.expect(200);
        assert_eq!(server.get("/nodes").await.expect(200), json!([]));
        // The mac is free again.
        server.discover(&mac(1001)).await;
    });
}

#[test]
fn of_two_agents_that_report_the_same_node_at_once_one_is_refused() {
    on_both_databases("", async |server| {
        for number in 0..10 {
            let (one, two) = (mac(2 * number), mac(2 * number + 1));
            let both = |first: &str, second: &str| json!({"mac": first, "meta": {"interfaces": [{"mac": second}]}});
            let (first, second, third) = tokio::join!(
                server.post("/nodes", both(&one, &two)),
                server.post("/nodes", both(&two, &one)),
                server.post("/nodes", json!({"mac": one})),
            );
            let mut statuses = [first.status(), second.status(), third.status()];
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 409, 409], "{} {} {}", first.text(), second.text(), third.text());
        }
        assert_eq!(list(&server.get("/nodes").await.expect(200)).len(), 10);
    });
}
