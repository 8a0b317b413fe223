//! What the extension logs, and how it is read.

use additional_logger::AdditionalLogger;
use rivetgun::testkit::{Contract, TestServer, on_both_databases};
use serde_json::{Value, json};

#[test]
fn it_keeps_the_contract() {
    Contract::of::<AdditionalLogger>().check();
}

#[test]
fn the_life_of_a_node_is_logged_and_outlives_it() {
    on_both_databases("", async |server| {
        let node = server.discover("64:c3:54:54:d2:66").await;
        let (path, log) = (format!("/nodes/{}", node["id"]), format!("/additional_logger/{}", node["id"]));
        server.put(&path, json!({"name": "ada", "labels": {"rack": "r1"}})).await.expect(200);
        server.put(&path, json!({"name": "ada"})).await.expect(200);
        server.delete(&path).await.expect(200);
        assert_eq!(events(&server, &log).await, ["created", "updated: labels, name", "deleted"]);

        server.delete(&log).await.expect(204);
        assert_eq!(events(&server, &log).await, Vec::<String>::new());
    });
}

#[test]
fn the_life_of_a_cluster_is_logged() {
    on_both_databases("", async |server| {
        let node = server.discover("64:c3:54:54:d2:66").await;
        let cluster = server.post("/clusters", json!({"name": "one", "nodes": [node["id"]]})).await.expect(201);
        let path = format!("/clusters/{}", cluster["id"]);
        server.put(&format!("{path}/extensions"), json!(["additional_logger"])).await.expect(200);
        let task = server.put(&format!("{path}/provision"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        let task = server.delete(&path).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        let log = format!("/additional_logger/clusters/{}/", cluster["id"]);
        assert_eq!(events(&server, &log).await, ["about to be worked on, 1 nodes", "deleted"]);
    });
}

#[test]
fn what_is_refused_is_not_logged() {
    on_both_databases("", async |server| {
        server.discover("64:c3:54:54:d2:66").await;
        server.post("/nodes", json!({"mac": "64:c3:54:54:d2:66"})).await.expect(409);
        assert_eq!(events(&server, "/additional_logger/1").await, ["created"]);
        assert_eq!(events(&server, "/additional_logger/2").await, Vec::<String>::new());
    });
}

#[test]
fn outgoing_data_of_both_kinds_are_stamped_where_it_is_enabled() {
    on_both_databases("", async |server| {
        let cluster = server.create_cluster("one").await;
        let path = format!("/clusters/{}", cluster["id"]);
        for (kind, word) in [("deployment", "deployment started at "), ("provisioning", "provisioning started at ")] {
            let defaults = format!("{path}/orchestrator/{kind}/defaults");
            server.delete(&format!("{path}/extensions?extension_names=additional_logger")).await;
            assert_eq!(server.get(&defaults).await.expect(200)["common"].get("time_started"), None);
            server.put(&format!("{path}/extensions"), json!(["additional_logger"])).await.expect(200);
            let stamp = server.get(&defaults).await.expect(200)["common"]["time_started"].clone();
            assert!(stamp.as_str().is_some_and(|stamp| stamp.starts_with(word)), "{stamp}");
        }
    });
}

#[test]
fn an_answer_holds_no_more_than_a_page_and_those_are_the_latest() {
    on_both_databases("[extensions.additional_logger]\npage_size = 2", async |server| {
        let node = server.discover("64:c3:54:54:d2:66").await;
        for name in ["a", "b", "c"] {
            server.put(&format!("/nodes/{}", node["id"]), json!({"name": name})).await.expect(200);
        }
        assert_eq!(events(&server, "/additional_logger/1").await, ["updated: name", "updated: name"]);
    });
}

async fn events(server: &TestServer, path: &str) -> Vec<String> {
    let entries = server.get(path).await.expect(200);
    let entries = entries.as_array().expect("a list");
    entries.iter().map(|entry| entry["event"].as_str().expect("a text").to_owned()).collect()
}
