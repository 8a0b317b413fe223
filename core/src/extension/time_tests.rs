//! What an extension does outside of requests happens at the time at which it does it, by a clock that the test moves.

use super::{
    Described, EventTypes, Extension, ExtensionContext, Metadata, NoSettings, OrchestratorContext, Registration,
};
use crate::{
    deploy,
    model::Role,
    server::Clock,
    testkit::{TestServer, new_postgres_database},
};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

#[derive(Default)]
struct Sleeper;

impl Described for Sleeper {
    type Settings = NoSettings;
    const METADATA: &'static Metadata = &Metadata {
        name: "sleeper",
        version: "1.0.0",
        description: "",
        url: "",
        krate: "sleeper",
        file: "sleeper/src/lib.rs",
        line: 1,
        priority: 0,
        after: &[],
        requires: &[],
        overrides: &["events"],
    };
}

impl Extension for Sleeper {
    fn events(&self) -> EventTypes {
        EventTypes::new().readable_by(Role::Public, "sleeper", "It woke up.")
    }
}

#[test]
fn what_is_done_outside_of_requests_happens_when_it_is_done_however_long_ago_it_was_begun() {
    const SLEEPER: Registration = Registration::of::<Sleeper>();
    for url in [None, new_postgres_database().ok()] {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let hand = Arc::new(AtomicI64::new(1_750_000_000));
            let shown = Arc::clone(&hand);
            let clock =
                Clock::of(move || DateTime::from_timestamp(shown.load(Ordering::SeqCst), 0).unwrap_or_default());
            let test = TestServer::with(vec![&SLEEPER], url, clock).await;
            let cluster = test.create_cluster("c").await["id"].as_i64().expect("an id");
            let server = &test.server;
            let (begun, leash) = (server.clock.now(), server.leash());
            let (loaded, desk) = (server.registry.find("sleeper").expect("it is there"), deploy::desk(server));
            let (scope, store) = (server.scope(loaded, begun), server.background_store.clone());
            let of_request = ExtensionContext::of_request(scope.clone(), store.clone(), Arc::clone(&desk));
            let in_background = server.background_context(loaded, &leash);
            let orchestrates = OrchestratorContext::new(scope, store, desk, &leash);

            hand.fetch_add(TimeDelta::days(3).num_seconds(), Ordering::SeqCst);
            in_background.publish("sleeper", "wake", "alone", &json!({})).await.expect("it is published");
            let mut in_transaction = in_background.transaction().await.expect("a transaction");
            in_transaction.publish("sleeper", "wake", "with others", &json!({})).expect("it is published");
            in_transaction.note_change(cluster, "dreams");
            in_transaction.commit().await.expect("it is committed");
            let by_orchestrator = orchestrates.transaction().await.expect("a transaction");
            by_orchestrator.publish("sleeper", "wake", "at work", &json!({})).expect("it is published");
            by_orchestrator.commit().await.expect("it is committed");

            let log = test.get("/events?filter=sleeper.*.*+clusters.update.*").await.expect(200);
            let times: Vec<&Value> = log.as_array().expect("a list").iter().map(|event| &event["time"]).collect();
            assert_eq!(times, vec![&json!(server.clock.now()); 4], "{log}");
            assert_eq!(in_background.now(), server.clock.now());
            assert_eq!(of_request.now(), begun, "all of a request happens at one time");
            test.stop().await;
        });
    }
}
