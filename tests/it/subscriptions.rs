//! Subscriptions: every event at least once, in order for each thing, whoever else fails or is slow.

use crate::common::{cluster_with_nodes, contains, list, mac, node_named, until};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::json;
use std::collections::BTreeSet;

const QUICK: &str = "[events]\nfirst_retry_ms = 20\nattempts = 3\nhandler_timeout_ms = 200\n";

fn watching(what: &str) -> String {
    format!("{QUICK}[extensions.listener]\nwatch = {what}")
}

/// What the listener was told, by one of its subscriptions: `sequence type.action.key`.
async fn heard_by(server: &TestServer, subscription: &str) -> Vec<String> {
    let rows = server.get("/listener/rows").await.expect(200);
    let of_it = list(&rows).iter().filter(|row| row[0] == subscription);
    of_it.map(|row| row[1].as_str().expect("a text").to_owned()).collect()
}

/// The same without the sequence numbers.
async fn told(server: &TestServer, subscription: &str) -> Vec<String> {
    let told = |line: String| line.split_once(' ').expect("a number and a name").1.to_owned();
    heard_by(server, subscription).await.into_iter().map(told).collect()
}

async fn is_told(server: &TestServer, subscription: &str, expected: &[&str]) {
    until(&format!("`{subscription}` hears of {expected:?}"), async || {
        let mut told = told(server, subscription).await;
        told.sort();
        told == expected
    })
    .await;
}

#[test]
fn what_is_subscribed_to_is_heard_of_in_order_for_each_thing_and_nothing_else() {
    on_both_databases(
        &watching(r#"{all = "nodes.*.* clusters.create.*", deletions = "*.delete.*"}"#),
        async |server| {
            let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
            for name in ["a", "b", "c"] {
                server.put(&format!("/nodes/{}", nodes[0]), json!({"name": name})).await.expect(200);
            }
            server.delete(&format!("/clusters/{cluster}")).await.expect(202);
            server.delete(&format!("/nodes/{}", nodes[0])).await.expect(200);
            is_told(&server, "deletions", &["clusters.delete.1", "nodegroups.delete.1", "nodes.delete.1"]).await;
            let of_first = async || {
                let told = told(&server, "all").await;
                told.into_iter().filter(|told| told.ends_with("nodes.1") || told.ends_with(".1")).collect::<Vec<_>>()
            };
            until("all is heard of the first node", async || {
                of_first().await.iter().any(|told| told == "nodes.delete.1")
            })
            .await;
            let expected = ["create", "update", "update", "update", "update", "update", "delete"];
            let of_node: Vec<String> = of_first().await.into_iter().filter(|told| told.starts_with("nodes.")).collect();
            assert_eq!(of_node, expected.map(|action| format!("nodes.{action}.1")));
        },
    );
}

#[test]
fn an_event_that_fails_is_tried_again_and_those_behind_it_wait_while_others_go_on() {
    on_both_databases(&watching(r#"{s = "nodes.create,update.*"}"#), async |server| {
        for (number, name) in [(1, "fails once"), (2, "panics once"), (3, "hangs"), (4, "well")] {
            node_named(&server, number, name).await;
        }
        server.put("/nodes/1", json!({"name": "well"})).await.expect(200);
        let expected = ["nodes.create.1", "nodes.create.2", "nodes.create.4", "nodes.update.1"];
        is_told(&server, "s", &expected).await;
        let all = told(&server, "s").await;
        let place = |told: &str| all.iter().position(|one| one == told).expect("it was heard of");
        assert!(place("nodes.create.1") < place("nodes.update.1"), "{all:?}");
    });
}

#[test]
fn what_cannot_be_delivered_is_a_dead_letter_and_holds_up_nothing_any_longer() {
    on_both_databases(&watching(r#"{s = "nodes.create,update.*"}"#), async |server| {
        node_named(&server, 1, "fails").await;
        node_named(&server, 2, "is refused").await;
        for node in [1, 2] {
            server.put(&format!("/nodes/{node}"), json!({"name": "well"})).await.expect(200);
        }
        is_told(&server, "s", &["nodes.update.1", "nodes.update.2"]).await;
        let told = server.wait_for("/notifications", |all| list(all).iter().any(|one| one["extension"] == "listener"));
        let told = told.await;
        let told = list(&told).iter().find(|one| one["extension"] == "listener").expect("it is told");
        assert!(contains(&told["message"], "could not be delivered"), "{told}");
    });
}

#[test]
fn an_event_that_blocks_the_thread_of_its_subscription_is_a_dead_letter_and_no_other_is() {
    let settings = watching(r#"{s = "nodes.create.*"}"#).replace("attempts = 3", "attempts = 100");
    on_both_databases(&settings, async |server| {
        for (number, name) in [(1, "blocks"), (2, "well"), (3, "well"), (4, "well")] {
            node_named(&server, number, name).await;
        }
        until("the others are heard of", async || {
            // Of one that was held up nobody knows how far it had come: it may be heard of twice.
            let told: BTreeSet<String> = told(&server, "s").await.into_iter().collect();
            told.into_iter().eq(["nodes.create.2", "nodes.create.3", "nodes.create.4"])
        })
        .await;
        let dead = server.wait_for("/extensions/listener/dead_letters", |dead| !list(dead).is_empty()).await;
        let keys: Vec<&str> = list(&dead).iter().filter_map(|letter| letter["event"]["key"].as_str()).collect();
        assert_eq!(keys, ["1"], "{dead}");
    });
}

#[test]
fn a_thing_whose_events_are_slow_holds_up_no_other() {
    let settings = "[events]\nhandler_timeout_ms = 300000\n[extensions.listener]\nwatch = {s = 'nodes.*.*'}";
    on_both_databases(settings, async |server| {
        // More than are in memory at a time, of one thing.
        node_named(&server, 1, "hangs").await;
        for number in 0..300 {
            server.put("/nodes/1", json!({"name": format!("n{number}")})).await.expect(200);
        }
        node_named(&server, 2, "well").await;
        is_told(&server, "s", &["nodes.create.2"]).await;
    });
}

#[test]
fn a_subscriber_that_hangs_slows_neither_requests_nor_another_subscriber() {
    on_both_databases(&watching(r#"{hangs = "nodes.*.*", well = "clusters.create.*"}"#), async |server| {
        for number in 1..=20 {
            node_named(&server, number, "hangs").await;
        }
        server.create_cluster("c").await;
        is_told(&server, "well", &["clusters.create.1"]).await;
    });
}

#[test]
fn a_subscriber_that_hangs_in_a_transaction_loses_it_and_slows_neither_requests_nor_another_subscriber() {
    for name in ["hangs in a transaction", "blocks in a transaction"] {
        let watching = r#"{hangs = "nodes.*.*", well = "clusters.create.*"}"#;
        on_both_databases(&format!("[extensions.listener]\nwatch = {watching}"), async |server| {
            // Each waits for the writer for less than would be an error.
            for number in 1..=10 {
                node_named(&server, number, name).await;
            }
            server.create_cluster("c").await;
            is_told(&server, "well", &["clusters.create.1"]).await;
            assert_eq!(told(&server, "hangs").await, [""; 0]);
        });
    }
}

#[test]
fn a_subscriber_that_blocks_its_thread_holds_nothing_that_was_meant_for_it() {
    let watching = r#"{blocks = "nodes.*.*", well = "clusters.create.*"}"#;
    on_both_databases(&format!("[extensions.listener]\nwatch = {watching}"), async |server| {
        // Those behind the first wait for the lock that it gives back, and are told so on the thread that it blocks then.
        for number in 1..=4 {
            node_named(&server, number, "locks the first node and blocks").await;
        }
        until("the first one has committed", async || !told(&server, "blocks").await.is_empty()).await;
        server.put("/nodes/1", json!({"name": "free"})).await.expect(200);
        server.create_cluster("c").await;
        is_told(&server, "well", &["clusters.create.1"]).await;
        assert_eq!(told(&server, "blocks").await.len(), 1);
    });
}

#[test]
fn a_transaction_that_was_held_for_too_long_cannot_be_committed() {
    on_both_databases("[extensions.listener]\nwatch = {s = 'nodes.*.*'}", async |server| {
        node_named(&server, 1, "commits late").await;
        until("a dead letter", async || {
            let dead = server.get("/extensions/listener/dead_letters").await.expect(200);
            list(&dead).iter().any(|letter| contains(&letter["error"], "RG0302"))
        })
        .await;
        assert_eq!(told(&server, "s").await, [""; 0]);
    });
}

#[test]
fn after_a_restart_it_goes_on_where_it_was() {
    for url in [None, rivetgun::testkit::new_postgres_database().ok()] {
        let dir = tempfile::tempdir().expect("a directory");
        let url = url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", dir.path().join("db").display()));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let settings = watching(r#"{s = "nodes.create.*"}"#);
            let server = TestServer::start(Some(url.clone()), &settings).await;
            node_named(&server, 1, "well").await;
            is_told(&server, "s", &["nodes.create.1"]).await;
            server.stop().await;
            // While nobody listens.
            let deaf = TestServer::start(Some(url.clone()), "").await;
            node_named(&deaf, 2, "well").await;
            deaf.stop().await;
            let server = TestServer::start(Some(url), &settings).await;
            node_named(&server, 3, "well").await;
            is_told(&server, "s", &["nodes.create.1", "nodes.create.2", "nodes.create.3"]).await;
            server.stop().await;
        });
    }
}

#[test]
fn two_replicas_share_the_work_and_deliver_each_event_once() {
    let Ok(url) = rivetgun::testkit::new_postgres_database() else {
        return rivetgun::testkit::skip("PostgreSQL", "there is none");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        // With all the time that a handler has: one that is cut off may have done its work, and does it again.
        let settings = "[extensions.listener]\nwatch = {a = 'nodes.*.*', b = 'nodes.*.*'}";
        let one = TestServer::start(Some(url.clone()), settings).await;
        let other = TestServer::start(Some(url), settings).await;
        let mut expected: Vec<String> = Vec::new();
        for number in 1..=60 {
            let server = if number % 2 == 0 { &one } else { &other };
            server.discover(&mac(number)).await;
            expected.push(format!("nodes.create.{number}"));
        }
        // The first one goes, and the other takes over what it had.
        one.stop().await;
        for number in 61..=100 {
            other.discover(&mac(number)).await;
            expected.push(format!("nodes.create.{number}"));
        }
        expected.sort();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        for subscription in ["a", "b"] {
            is_told(&other, subscription, &expected).await;
        }
        other.stop().await;
    });
}

#[test]
fn a_filter_that_is_none_stops_the_start_and_is_told() {
    let refused = std::panic::catch_unwind(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(TestServer::start(None, "[extensions.listener]\nwatch = {x = \"nodes\"}"))
    });
    let panic = refused.err().expect("it does not start");
    let message = panic.downcast_ref::<String>().expect("a text");
    for part in ["RG0120", "`x` of `listener`", "type.action.key"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn what_a_subscriber_has_not_read_is_kept_however_old_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    for url in [None, rivetgun::testkit::new_postgres_database().ok()] {
        let url = url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", dir.path().join("db").display()));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let server = TestServer::start(Some(url.clone()), &watching(r#"{s = "nodes.create.*"}"#)).await;
            node_named(&server, 1, "well").await;
            is_told(&server, "s", &["nodes.create.1"]).await;
            server.stop().await;
            // While nobody delivers, and everything is old enough at once.
            let forgetful = "[events]\nretention_days = 0";
            let deaf = TestServer::start(Some(url.clone()), forgetful).await;
            node_named(&deaf, 2, "well").await;
            deaf.stop().await;
            let deaf = TestServer::start(Some(url.clone()), forgetful).await;
            // The first look at what is old has come so far when what was read before is gone.
            deaf.wait_for("/events?filter=nodes.create.*", |log| list(log).len() == 1).await;
            deaf.stop().await;
            let server = TestServer::start(Some(url), &watching(r#"{s = "nodes.create.*"}"#)).await;
            is_told(&server, "s", &["nodes.create.1", "nodes.create.2"]).await;
            server.stop().await;
        });
    }
}

#[test]
fn what_is_done_behind_a_slow_event_is_not_done_again_by_the_next_server() {
    let dir = tempfile::tempdir().expect("a directory");
    for url in [None, rivetgun::testkit::new_postgres_database().ok()] {
        let url = url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", dir.path().join("db").display()));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let settings = watching(r#"{s = "nodes.create,update.*"}"#).replace("200\n", "2000\n");
            let server = TestServer::start(Some(url.clone()), &settings).await;
            node_named(&server, 1, "is slow").await;
            for rack in 1..=9 {
                server.put("/nodes/1", json!({"labels": {"rack": rack}})).await.expect(200);
            }
            for number in 2..=9 {
                node_named(&server, number, "well").await;
            }
            until("the quick ones are done", async || {
                told(&server, "s").await.iter().filter(|told| !told.ends_with(".1")).count() == 8
            })
            .await;
            assert!(told(&server, "s").await.len() < 18, "the slow one is not done yet");
            server.stop().await;
            let server = TestServer::start(Some(url), &settings).await;
            let mut expected: Vec<String> = (1..=9).map(|number| format!("nodes.create.{number}")).collect();
            expected.extend(["nodes.update.1"; 9].map(str::to_owned));
            is_told(&server, "s", &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
            server.stop().await;
        });
    }
}
