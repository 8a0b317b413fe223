//! What people are told although nobody asked.

use crate::common::{assign, cluster_with_nodes, commands, contains, list, mac, node_named, until, work_on};
use rivetgun::testkit::on_both_databases;
use serde_json::{Value, json};

#[test]
fn a_life_is_told_in_four_topics_each_thing_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = format!("{}\n[extensions.faulty]\non_fault = 'isolate'", commands(&dir, "true", "exit 3", 60));
    on_both_databases(&settings, async |server| {
        let nodes = [node_named(&server, 1, "one").await, node_named(&server, 2, "two").await];
        let cluster = server.create_cluster("on_cluster_create: error").await["id"].clone();
        assign(&server, &cluster, &nodes, &["a"]).await;
        let provision = work_on(&server, &cluster, "provision").await;
        let deploy = work_on(&server, &cluster, "deploy").await;
        assert_eq!((&provision["status"], &deploy["status"]), (&json!("ready"), &json!("error")));
        let changes = work_on(&server, &cluster, "changes").await;
        assert_eq!(changes["status"], "error");
        assert!(!list(&changes["subtasks"]).is_empty(), "{changes}");

        let all = server.get("/notifications").await.expect(200);
        let told: Vec<Value> = list(&all)
            .iter()
            .map(|told| json!([told["topic"], told["cluster"], told["node"], told["task"], told["extension"]]))
            .collect();
        let expected = [
            json!(["discover", null, nodes[0], null, null]),
            json!(["discover", null, nodes[1], null, null]),
            json!(["warning", cluster, null, null, "faulty"]),
            json!(["done", cluster, null, provision["id"], null]),
            // Of two nodes that fail, and of the parts of a task, people hear once.
            json!(["error", cluster, null, deploy["id"], null]),
            json!(["error", cluster, null, changes["id"], null]),
        ];
        assert_eq!(told, expected, "{all:#}");
        for (index, words) in [(0, "New node"), (2, "on_cluster_create"), (3, "is done"), (4, "exit code 3")] {
            assert!(contains(&list(&all)[index]["message"], words), "{index}: {all:#}");
        }
        assert!(list(&all).iter().all(|told| told["status"] == "unread" && told["time"].is_string()));
        assert_eq!(server.get("/notifications/stats").await.expect(200), json!({"total": 6, "unread": 6}));
        server.put(&format!("/notifications/{}", all[0]["id"]), json!({"status": "read"})).await.expect(200);
        assert_eq!(server.get("/notifications/stats").await.expect(200), json!({"total": 6, "unread": 5}));
    });
}

#[test]
fn a_node_that_is_silent_by_the_clock_on_the_wall_is_told_as_gone_and_as_back() {
    let settings = "[agents]\nsilent_after_s = 1\nlook_every_s = 1";
    on_both_databases(settings, async |server| {
        let (_, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let path = format!("/nodes/{}", nodes[0]);
        let name = server.get(&path).await.expect(200)["name"].as_str().expect("a text").to_owned();
        until("it is offline", async || server.get(&path).await.expect(200)["online"] == false).await;
        assert_eq!(server.get("/nodes?online=false").await.expect(200)[0]["id"], nodes[0]);
        server.put("/nodes/agent", json!({"mac": mac(1001)})).await.expect(200);
        let all = server.get("/notifications").await.expect(200);
        let told: Vec<Value> = list(&all).iter().skip(1).map(|told| json!([told["topic"], told["message"]])).collect();
        let expected = [
            json!(["warning", format!("Node '{name}' has gone away")]),
            json!(["discover", format!("Node '{name}' is back online")]),
        ];
        // A slow machine may have let it fall silent again by now.
        assert_eq!(told[..2], expected, "{all:#}");
    });
}
