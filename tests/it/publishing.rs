//! Who may publish which events, and who may read them.

use crate::common::{each, list, mac, node_named};
use axum::http::Method;
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};

/// The events that somebody reads who asks for them, as `type.action.key`.
async fn told(server: &TestServer, filter: &str) -> Vec<String> {
    let events = server.get(&format!("/events?filter={filter}")).await.expect(200);
    let name = |event: &Value| {
        let part = |field: &str| event[field].as_str().expect("a text").to_owned();
        format!("{}.{}.{}", part("type"), part("action"), part("key"))
    };
    list(&events).iter().map(name).collect()
}

/// Lets the announcer publish an event.
async fn say(server: &TestServer, how: &str, kind: &str, key: &str) -> u16 {
    server.request(Method::POST, &format!("/announcer/{how}/{kind}/{key}"), None).await.status()
}

#[test]
fn what_a_caller_publishes_is_in_the_log_under_its_name() {
    on_both_databases("", async |server| {
        let published = json!({"type": "builds", "action": "done", "key": "ünï 7.*", "object": {"ok": true}});
        let event = server.post("/events", published).await.expect(201);
        server.discover(&mac(1)).await;
        let log = server.get("/events?filter=builds.done.*").await.expect(200);
        assert_eq!(log, json!([event]));
        assert_eq!(event["principal"], "anonymous");
        assert_eq!((&event["object"], &event["original"]), (&json!({"ok": true}), &Value::Null));
        let rest = server.get(&format!("/events?after={}", event["sequence"])).await.expect(200);
        assert_eq!(each(&rest, "type"), ["nodes", "notifications"]);
    });
}

#[test]
fn types_of_the_core_and_of_extensions_are_refused_and_so_is_what_is_no_event() {
    on_both_databases("", async |server| {
        let publish = async |kind: &str, action: &str, key: &str, object: Value| {
            let event = json!({"type": kind, "action": action, "key": key, "object": object});
            server.post("/events", event).await
        };
        for kind in
            ["nodes", "clusters", "tasks", "announcer", "announcer_private", "listener", "listener_x", "herald_"]
        {
            let refused = publish(kind, "create", "1", json!({})).await.expect(403);
            assert!(refused["detail"].as_str().expect("a text").contains(kind), "{refused}");
        }
        let long = "x".repeat(65);
        for word in ["", "Builds", "a.b", "a b", "*", "7", &long] {
            let refused = publish(word, word, "", json!({})).await.expect(400);
            assert_eq!(each(&refused["errors"], "pointer"), ["/type", "/action", "/key"], "{refused}");
        }
        for key in ["", "a\nb", &"x".repeat(256)] {
            let refused = publish("builds", "done", key, json!({})).await.expect(400);
            assert_eq!(each(&refused["errors"], "pointer"), ["/key"], "{refused}");
        }
        for object in [json!({"a": "\0"}), json!({"\0": 1}), json!([]), json!(7), json!({"a": "x".repeat(256 << 10)})] {
            publish("builds", "done", "1", object).await.expect(400);
        }
        for body in [json!({}), json!({"type": "builds"}), json!({"sequence": 1})] {
            server.post("/events", body).await.expect(400);
        }
        assert_eq!(told(&server, "*.*.*").await, [""; 0]);
    });
}

#[test]
fn what_an_extension_publishes_in_a_hook_goes_with_the_change() {
    on_both_databases("", async |server| {
        node_named(&server, 1, "announced").await;
        let refused = json!({"mac": mac(2), "name": "announced and refused"});
        server.post("/nodes", refused).await.expect(409);
        let failed = json!({"mac": mac(3), "name": "announced and failed"});
        server.post("/nodes", failed).await.expect(500);
        assert_eq!(told(&server, "announcer.*.*").await, ["announcer.announced.announced"]);
        let log = server.get("/events?filter=announcer.*.*+nodes.create.*").await.expect(200);
        assert_eq!(each(&log, "principal"), ["anonymous", "extension:announcer"]);
        assert_eq!(log[1]["object"], json!({"node": log[0]["object"]["id"]}));
    });
}

#[test]
fn where_a_hook_is_left_behind_so_are_its_events() {
    on_both_databases("[extensions.announcer]\non_fault = \"isolate\"", async |server| {
        node_named(&server, 1, "announced and failed").await;
        node_named(&server, 2, "announced").await;
        assert_eq!(told(&server, "announcer.*.*").await, ["announcer.announced.announced"]);
    });
}

#[test]
fn an_extension_publishes_its_declared_types_alone_or_in_a_transaction() {
    on_both_databases("", async |server| {
        for (how, kind, status) in [
            ("alone", "announcer", 204),
            ("kept", "announcer", 204),
            ("dropped", "announcer", 204),
            ("number", "announcer", 500),
            ("alone", "announcer_undeclared", 500),
            ("kept", "nodes", 500),
            ("alone", "builds", 500),
        ] {
            assert_eq!(say(&server, how, kind, how).await, status, "{how} {kind}");
        }
        let log = server.get("/events").await.expect(200);
        assert_eq!(each(&log, "key"), ["alone", "kept"]);
        assert_eq!(each(&log, "principal"), ["extension:announcer"; 2]);
    });
}

#[test]
fn who_reads_a_type_is_declared_and_what_is_not_is_read_by_nobody() {
    on_both_databases("", async |server| {
        for kind in ["announcer_private", "announcer_admin", "announcer"] {
            assert_eq!(say(&server, "alone", kind, "1").await, 204);
        }
        assert_eq!(told(&server, "announcer*.*.*").await, ["announcer.said.1"]);
        // A page is full of what may be read.
        assert_eq!(told(&server, "*.*.*&limit=1").await, ["announcer.said.1"]);
        let types = server.get("/events/types").await.expect(200);
        let role = |kind: &str| {
            let found = list(&types).iter().find(|known| known["type"] == kind);
            found.unwrap_or_else(|| panic!("{kind} is not in {types}"))["role"].clone()
        };
        assert_eq!(["nodes", "announcer"].map(role), ["viewer"; 2]);
        assert_eq!((role("announcer_admin"), role("announcer_private")), (json!("admin"), Value::Null));
    });
}
