//! The event log: every change is in it, in the order of the commits.

use crate::common::{cluster_with_nodes, each, list, work_on};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The lists of what the log tells of, with what of it is no event: how far work is, when a node was heard of, and what
/// follows from another event.
const TOLD: [(&str, &[&str]); 6] = [
    ("clusters", &[]),
    ("nodegroups", &[]),
    ("nodes", &["progress", "timestamp"]),
    ("notifications", &["cluster", "node", "task"]),
    ("releases", &[]),
    ("tasks", &["subtasks", "cluster", "parent_id"]),
];

/// Every event there is.
async fn all_events(server: &TestServer) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), json!(0));
    loop {
        let more = server.get(&format!("/events?after={after}&limit=1000")).await.expect(200);
        let Some(last) = list(&more).last() else { return events };
        after = last["sequence"].clone();
        events.extend(list(&more).iter().cloned());
    }
}

/// Whoever applies the events one after the other knows what the API shows.
pub(crate) async fn the_log_tells_all(server: &TestServer) {
    let mut known = BTreeMap::<(String, String), Value>::new();
    for event in all_events(server).await {
        let text = |field: &str| event[field].as_str().expect("a text").to_owned();
        let (thing, action) = ((text("type"), text("key")), text("action"));
        if TOLD.iter().all(|(kind, _)| *kind != thing.0) {
            continue;
        }
        let original = &event["original"];
        match action.as_str() {
            "create" => assert!(known.insert(thing, event["object"].clone()).is_none(), "made twice: {event}"),
            "update" => {
                let before = known.insert(thing.clone(), event["object"].clone());
                let before = before.unwrap_or_else(|| panic!("updated before it was made: {event}"));
                assert_eq!(without_quiet(&thing.0, &before), without_quiet(&thing.0, original), "{event}");
            }
            "delete" => assert!(known.remove(&thing).is_some(), "deleted before it was made: {event}"),
            "attributes" | "customise" => assert!(thing.0 == "clusters" && !original.is_null(), "{event}"),
            other => panic!("{other}: {event}"),
        }
    }
    for (kind, _) in TOLD {
        let shown = server.get(&format!("/{kind}")).await.expect(200);
        let shown: BTreeMap<String, Value> =
            list(&shown).iter().map(|thing| (thing["id"].to_string(), without_quiet(kind, thing))).collect();
        let told = known.iter().filter(|((of, _), _)| of == kind);
        let told: BTreeMap<String, Value> =
            told.map(|((_, key), thing)| (key.clone(), without_quiet(kind, thing))).collect();
        // The release that every installation has was there before the log.
        let shown: BTreeMap<_, _> = shown.into_iter().filter(|(id, _)| kind != "releases" || id != "1").collect();
        assert_eq!(told, shown, "{kind}");
    }
}

fn without_quiet(kind: &str, thing: &Value) -> Value {
    let (_, quiet) = TOLD.iter().find(|(of, _)| *of == kind).expect("a type of the core");
    let mut thing = thing.clone();
    if let Some(fields) = thing.as_object_mut() {
        fields.retain(|field, _| !quiet.contains(&field.as_str()));
    }
    thing
}

#[test]
fn the_log_is_read_by_filter_and_from_where_one_was() {
    on_both_databases("", async |server| {
        for number in 1..=3 {
            server.discover(&crate::common::mac(number)).await;
        }
        server.create_cluster("c").await;
        let nodes = server.get("/events?filter=nodes.create.*").await.expect(200);
        assert_eq!(each(&nodes, "key"), ["1", "2", "3"]);
        assert_eq!(nodes[0]["principal"], "anonymous");
        let rest = server.get(&format!("/events?filter=nodes.create,delete.*&after={}", nodes[0]["sequence"])).await;
        assert_eq!(each(&rest.expect(200), "key"), ["2", "3"]);
        let two = server.get("/events?filter=node*.*.2+cluster*.*.1&limit=2").await.expect(200);
        assert_eq!(each(&two, "type"), ["nodes", "clusters"]);
        let refused = server.get("/events?filter=nodes").await.expect(400);
        assert!(refused["detail"].as_str().expect("a text").contains("type.action.key"), "{refused}");
    });
}

#[test]
fn the_log_tells_who_did_it() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        work_on(&server, &cluster, "provision").await;
        let principals = async |filter: &str| {
            let events = server.get(&format!("/events?filter={filter}")).await.expect(200);
            each(&events, "principal")
                .into_iter()
                .map(|name| name.as_str().expect("a text").to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(principals("clusters.create.*+tasks.create.*").await, ["anonymous"; 2]);
        let of_node = principals("nodes.update.*").await;
        assert_eq!(of_node.last().map(String::as_str), Some("orchestrator:local"), "{of_node:?}");
        assert!(of_node.iter().any(|name| name == "server"), "{of_node:?}");
    });
}
