//! Nodes fall silent by a clock that the test moves.

use super::look;
use crate::{
    server::Clock,
    testkit::{TestServer, on_both_with},
};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

const SETTINGS: &str = "[agents]\nlook_every_s = 1\n[orchestrators.local]\nprovision = 'sleep 1000'";

/// A clock that stands still, and what moves it, in seconds.
fn clock() -> (Clock, Arc<AtomicI64>) {
    let seconds = Arc::new(AtomicI64::new(1_750_000_000));
    let hand = Arc::clone(&seconds);
    (Clock::of(move || DateTime::from_timestamp(seconds.load(Ordering::SeqCst), 0).unwrap_or_default()), hand)
}

#[test]
fn a_node_whose_agent_is_silent_goes_offline_and_comes_back_and_each_is_told_once() {
    let (clock, hand) = clock();
    on_both_with(SETTINGS, &clock, async |server| {
        let wait = |seconds| hand.fetch_add(seconds, Ordering::SeqCst);
        let long_ago = server.server.clock.now() - TimeDelta::days(1);
        let report = async |id: &Value, fields: Value| {
            let mut report = json!({"id": id, "agent_checksum": "c"});
            report.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
            server.put("/nodes/agent", report).await.expect(200)
        };
        let silent = node(&server, 1).await;
        let talkative = node(&server, 2).await;
        let provisioning = node(&server, 3).await;
        report(&silent, json!({})).await;
        let cluster = server.create_cluster("c").await["id"].clone();
        server.post(&format!("/clusters/{cluster}/assignment"), json!([{"id": provisioning}])).await.expect(200);
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        until(&server, &provisioning, "status", json!("provisioning")).await;

        wait(170);
        report(&talkative, json!({})).await;
        assert_eq!(look(&server.server, long_ago).await.expect("it looks"), 0, "not silent for long enough");
        wait(10);
        until(&server, &silent, "online", json!(false)).await;
        assert_eq!(look(&server.server, long_ago).await.expect("it looks"), 0, "it is told once");
        for other in [&talkative, &provisioning] {
            assert_eq!(show(&server, other).await["online"], true);
        }
        let gone = json!([["warning", "Node 'n1' has gone away", silent]]);
        assert_eq!(told(&server).await, gone);

        // The same report as before is a sign of life like any other.
        assert_eq!(report(&silent, json!({})).await["cached"], true);
        assert_eq!(show(&server, &silent).await["online"], true);
        report(&silent, json!({})).await;
        let back = json!([gone[0], ["discover", "Node 'n1' is back online", silent]]);
        assert_eq!(told(&server).await, back);
        wait(100);
        report(&talkative, json!({})).await;
        wait(80);
        until(&server, &silent, "online", json!(false)).await;
        report(&silent, json!({"agent_checksum": "d", "ip": "10.0.0.7"})).await;
        assert_eq!(told(&server).await, json!([back[0], back[1], back[0], back[1]]));

        // While it is provisioned nobody listens for it; after that it has its time again.
        server.delete(&format!("/tasks/{}?force=true", task["id"])).await.expect(204);
        until(&server, &provisioning, "status", json!("error")).await;
        assert_eq!(look(&server.server, long_ago).await.expect("it looks"), 0);
        wait(180);
        until(&server, &provisioning, "online", json!(false)).await;
        server.stop().await;
    });
}

#[test]
fn several_servers_on_one_database_tell_of_a_node_once_and_one_that_just_began_of_none() {
    let (clock, hand) = clock();
    let settings = "[agents]\nlook_every_s = 3600";
    on_both_with(settings, &clock, async |server| {
        let other = TestServer::boot(Some(server.server.settings.database_url()), settings, clock.clone()).await;
        for number in 1..=20 {
            node(&server, number).await;
        }
        let began = server.server.clock.now();
        hand.fetch_add(180, Ordering::SeqCst);
        assert_eq!(look(&other.server, clock.now()).await.expect("it looks"), 0, "it has not listened for long enough");
        let looks = tokio::join!(look(&server.server, began), look(&other.server, began), look(&server.server, began));
        let silent = [looks.0, looks.1, looks.2].map(|silent| silent.expect("it looks"));
        // What one left to the others because they had it in hand, it finds later.
        let later = look(&other.server, began).await.expect("it looks");
        assert_eq!(silent.iter().sum::<usize>() + later, 20, "{silent:?}, {later}");
        assert_eq!(told(&server).await.as_array().map(Vec::len), Some(20));
    });
}

async fn node(server: &TestServer, number: u8) -> Value {
    let node = json!({"mac": format!("02:00:00:00:00:{number:02x}"), "name": format!("n{number}")});
    server.post("/nodes", node).await.expect(201)["id"].clone()
}

async fn show(server: &TestServer, id: &Value) -> Value {
    server.get(&format!("/nodes/{id}")).await.expect(200)
}

/// Topics, messages and nodes of what was told, but for discoveries and the ends of tasks.
async fn told(server: &TestServer) -> Value {
    let all = server.get("/notifications").await.expect(200);
    let presence = all.as_array().into_iter().flatten().filter(|told| {
        told["task"].is_null() && told["message"].as_str().is_some_and(|message| message.starts_with("Node '"))
    });
    presence.map(|told| json!([told["topic"], told["message"], told["node"]])).collect()
}

async fn until(server: &TestServer, id: &Value, field: &str, expected: Value) {
    let wait = async {
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        while show(server, id).await[field] != expected {
            interval.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it becomes so");
}
