//! The life of a cluster, as an orchestrator reports it: in order, out of order, late, twice, or never.

use crate::{
    common::{assign, contains, each, list, mac},
    puppet::{ask, asked, cluster_of, says},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn cluster_status(server: &TestServer, cluster: &Value) -> Value {
    server.get(&format!("/clusters/{cluster}")).await.expect(200)["status"].clone()
}

async fn task(server: &TestServer, task: &Value) -> Value {
    server.get(&format!("/tasks/{}", task["id"])).await.expect(200)
}

async fn node(server: &TestServer, id: &Value) -> Value {
    server.get(&format!("/nodes/{id}")).await.expect(200)
}

/// Brings a cluster to `ready`.
async fn make_ready(server: &TestServer, cluster: &Value, known: usize) -> usize {
    for (number, work) in ["provision", "deploy"].into_iter().enumerate() {
        let task = ask(server, cluster, work).await;
        asked(server, known + number + 1).await;
        says(server, &task, json!({"rest": "done"})).await;
    }
    known + 2
}

#[test]
fn what_is_pending_is_removed_provisioned_and_deployed_in_this_order_in_parts_of_one_task() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 3).await;
        let count = make_ready(&server, &cluster, 0).await;
        let new = server.discover(&mac(100)).await["id"].clone();
        assign(&server, &cluster, std::slice::from_ref(&new), &["b"]).await;
        assign(&server, &cluster, &nodes[1..2], &["b"]).await;
        server.post(&format!("/clusters/{cluster}/unassignment"), json!([{"id": nodes[0]}])).await.expect(200);

        let whole = ask(&server, &cluster, "changes").await;
        assert_eq!((&whole["name"], &whole["status"]), (&json!("deploy"), &json!("pending")));
        let parts = list(&whole["subtasks"]).clone();
        assert_eq!(parts.len(), 3);
        server.put(&format!("/clusters/{cluster}/changes"), Value::Null).await.expect(409);

        let removal = asked(&server, count + 1).await;
        assert_eq!((&removal["work"], &removal["nodes"]), (&json!("removal"), &json!([nodes[0]])));
        assert_eq!(node(&server, &nodes[0]).await["status"], "removing");
        assert_eq!(node(&server, &new).await["status"], "discover", "its turn has not come");
        says(&server, &removal["task"], json!({"rest": "done"})).await;
        server.get(&format!("/nodes/{}", nodes[0])).await.expect(404);

        let provision = asked(&server, count + 2).await;
        assert_eq!((&provision["work"], &provision["nodes"]), (&json!("provision"), &json!([new])));
        says(&server, &provision["task"], json!({new.to_string(): 50})).await;
        assert_eq!(task(&server, &whole).await["progress"], 33, "(100 * 4 + 50 * 4 + 0 * 10) / 18");
        says(&server, &provision["task"], json!({"rest": "done"})).await;

        let deployment = asked(&server, count + 3).await;
        assert_eq!((&deployment["work"], &deployment["nodes"]), (&json!("deployment"), &json!([nodes[1], new])));
        assert_eq!(cluster_status(&server, &cluster).await, "deployment");
        says(&server, &deployment["task"], json!({"rest": "done"})).await;

        let whole = task(&server, &whole).await;
        assert_eq!((&whole["status"], &whole["progress"]), (&json!("ready"), &json!(100)));
        for part in ["1 node is deleted", "Provision of cluster 'c' is done", "Deployment of cluster 'c' is done"] {
            assert!(contains(&whole["message"], part), "{whole}");
        }
        assert_eq!(cluster_status(&server, &cluster).await, "operational");
        assert_eq!(node(&server, &nodes[1]).await["roles"], json!(["a", "b"]));
        let told = server.get("/notifications").await.expect(200);
        let of_work = list(&told).iter().filter(|told| told["topic"] == "done").count();
        assert_eq!(of_work, 3, "one for each task that was asked for: {told}");
        server.put(&format!("/clusters/{cluster}/changes"), Value::Null).await.expect(400);
    });
}

#[test]
fn the_first_part_that_fails_ends_the_whole() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 2).await;
        let whole = ask(&server, &cluster, "changes").await;
        let provision = asked(&server, 1).await;
        says(&server, &provision["task"], json!({nodes[0].to_string(): "no disk", "rest": "done"})).await;
        let whole = task(&server, &whole).await;
        assert_eq!(whole["status"], "error");
        assert_eq!(whole["message"], format!("Provision has failed. node {}: no disk", nodes[0]));
        let parts = server.get("/tasks").await.expect(200);
        let aborted = list(&parts).iter().find(|part| part["name"] == "deployment").expect("a part");
        assert_eq!(aborted["status"], "error");
        assert!(contains(&aborted["message"], "aborted"), "{aborted}");
        assert!(aborted["time_end"].is_string(), "{aborted}");
        assert_eq!(cluster_status(&server, &cluster).await, "error");
        let told = server.get("/notifications").await.expect(200);
        assert_eq!(list(&told).iter().filter(|told| told["topic"] == "error").count(), 1, "one failure is told once");
    });
}

#[test]
fn a_stop_takes_nodes_back_that_were_provisioned_and_leaves_those_that_were_deployed() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 2).await;
        server.put(&format!("/clusters/{cluster}/stop"), Value::Null).await.expect(409);
        let provision = ask(&server, &cluster, "provision").await;
        asked(&server, 1).await;
        says(&server, &provision, json!({nodes[0].to_string(): "done"})).await;
        let stop = ask(&server, &cluster, "stop").await;
        let wanted = asked(&server, 2).await;
        assert_eq!((&wanted["work"], &wanted["stops"]), (&json!("stop"), &provision["uuid"]));
        assert_eq!(wanted["nodes"], json!([nodes[1]]), "the other one has ended");
        let problem = server.put(&format!("/clusters/{cluster}/stop"), Value::Null).await.expect(409);
        assert!(contains(&problem["detail"], "is stopping it already"), "{problem}");
        says(&server, &stop, json!({"rest": "done"})).await;
        assert_eq!(task(&server, &stop).await["status"], "ready");
        let stopped = task(&server, &provision).await;
        assert_eq!((&stopped["status"], &stopped["message"]), (&json!("error"), &json!("stopped")));
        assert_eq!(says(&server, &provision, json!({"rest": "done"})).await, "Outdated");
        let [first, second] = [node(&server, &nodes[0]).await, node(&server, &nodes[1]).await];
        assert_eq!((&first["status"], &second["status"]), (&json!("provisioned"), &json!("discover")));
        assert_eq!((&second["pending_roles"], &second["pending_addition"]), (&json!(["a"]), &json!(true)));
        assert_eq!(cluster_status(&server, &cluster).await, "stopped");

        let deploy = ask(&server, &cluster, "deploy").await;
        asked(&server, 3).await;
        says(&server, &deploy, json!({nodes[0].to_string(): 70})).await;
        let stop = ask(&server, &cluster, "stop").await;
        asked(&server, 4).await;
        says(&server, &stop, json!({"rest": "done"})).await;
        assert_eq!(node(&server, &nodes[0]).await["status"], "stopped");
        let again = ask(&server, &cluster, "changes").await;
        assert_eq!(list(&again["subtasks"]).len(), 2, "one is provisioned, both are deployed");
    });
}

#[test]
fn work_that_ends_before_its_stop_arrives_has_ended_well() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 1).await;
        let provision = ask(&server, &cluster, "provision").await;
        asked(&server, 1).await;
        let stop = ask(&server, &cluster, "stop").await;
        asked(&server, 2).await;
        says(&server, &provision, json!({"rest": "done"})).await;
        says(&server, &stop, json!({"rest": "done"})).await;
        assert_eq!(task(&server, &provision).await["status"], "ready");
        let stop = task(&server, &stop).await;
        assert!(contains(&stop["message"], "had ended before it was stopped"), "{stop}");
        assert_eq!(node(&server, &nodes[0]).await["status"], "provisioned");
        assert_eq!(cluster_status(&server, &cluster).await, "partially_deployed");
    });
}

#[test]
fn no_part_of_the_work_begins_while_the_whole_is_being_stopped() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 1).await;
        let whole = ask(&server, &cluster, "changes").await;
        let provision = asked(&server, 1).await;
        let stop = ask(&server, &cluster, "stop").await;
        asked(&server, 2).await;
        says(&server, &provision["task"], json!({"rest": "done"})).await;
        says(&server, &stop, json!({"rest": "done"})).await;
        let whole = server.ended(&whole).await;
        assert_eq!((&whole["status"], &whole["message"]), (&json!("error"), &json!("stopped")));
        assert_eq!(node(&server, &nodes[0]).await["status"], "provisioned", "that part had ended");
        assert_eq!(cluster_status(&server, &cluster).await, "stopped");
        let all = server.get("/puppeteer/dispatches").await.expect(200);
        assert_eq!(each(&all, "work"), ["provision", "stop"], "the deployment never began");
        let told = server.get("/notifications").await.expect(200);
        assert!(list(&told).iter().all(|told| told["topic"] != "error"), "a person wanted it: {told}");
    });
}

#[test]
fn a_node_that_was_wiped_by_a_stop_is_discovered_anew() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 2).await;
        make_ready(&server, &cluster, 0).await;
        ask(&server, &cluster, &format!("deploy?nodes={}", nodes[0])).await;
        asked(&server, 3).await;
        let stop = ask(&server, &cluster, "stop").await;
        asked(&server, 4).await;
        says(&server, &stop, json!({"rest": "erased"})).await;
        let wiped = node(&server, &nodes[0]).await;
        assert_eq!(
            (&wiped["status"], &wiped["roles"], &wiped["pending_roles"]),
            (&json!("discover"), &json!([]), &json!(["a"]))
        );
        assert_eq!(node(&server, &nodes[1]).await["status"], "ready", "nobody worked on it");
    });
}

#[test]
fn a_reset_takes_everything_and_waits_for_work_unless_it_is_forced() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 2).await;
        let reset = format!("/clusters/{cluster}/reset");
        server.put(&reset, Value::Null).await.expect(400);
        make_ready(&server, &cluster, 0).await;
        let deploy = ask(&server, &cluster, &format!("deploy?nodes={}", nodes[0])).await;
        asked(&server, 3).await;
        server.put(&reset, Value::Null).await.expect(409);
        let task_of_reset = server.put(&format!("{reset}?force=true"), Value::Null).await.expect(202);
        assert_eq!(task(&server, &deploy).await["status"], "error");
        let wanted = asked(&server, 4).await;
        assert_eq!((&wanted["work"], &wanted["nodes"]), (&json!("reset"), &json!(nodes)));
        says(&server, &task_of_reset, json!({"rest": "done"})).await;
        for id in &nodes {
            let node = node(&server, id).await;
            assert_eq!(
                (&node["status"], &node["pending_roles"], &node["error_msg"]),
                (&json!("discover"), &json!(["a"]), &Value::Null)
            );
        }
        let cluster = server.get(&format!("/clusters/{cluster}")).await.expect(200);
        assert_eq!((&cluster["status"], &cluster["changes"]), (&json!("new"), &json!(["attributes", "nodes"])));
    });
}

#[test]
fn work_that_is_not_taken_on_fails_and_a_stop_or_reset_leaves_the_nodes_alone() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "refused", 1).await;
        let failed = server.ended(&ask(&server, &cluster, "provision").await).await;
        assert!(contains(&failed["message"], "the strings are cut"), "{failed}");
        let failed = node(&server, &nodes[0]).await;
        assert_eq!((&failed["status"], &failed["error_type"]), (&json!("error"), &json!("provision")));
        assert_eq!(cluster_status(&server, &cluster).await, "error");
        let before = node(&server, &nodes[0]).await;
        let reset = server.ended(&ask(&server, &cluster, "reset").await).await;
        assert_eq!(reset["status"], "error");
        assert_eq!(node(&server, &nodes[0]).await, before);
        assert_eq!(cluster_status(&server, &cluster).await, "error");
    });
}

#[test]
fn nodes_of_several_clusters_are_removed_by_their_orchestrators_in_parts_of_one_task() {
    on_both_databases("", async |server| {
        let (one, of_one) = cluster_of(&server, "one", 1).await;
        let (two, of_two) = cluster_of(&server, "two", 1).await;
        let count = make_ready(&server, &one, 0).await;
        make_ready(&server, &two, count).await;
        let free = server.discover(&mac(100)).await["id"].clone();
        let whole = server.delete(&format!("/nodes?ids={},{},{free}", of_one[0], of_two[0])).await.expect(202);
        server.get(&format!("/nodes/{free}")).await.expect(404);
        for number in [5, 6] {
            let removal = asked(&server, number).await;
            says(&server, &removal["task"], json!({"rest": "done"})).await;
        }
        assert_eq!(task(&server, &whole).await["status"], "ready");
        assert_eq!(server.get("/nodes").await.expect(200), json!([]));
    });
}

#[test]
fn a_removal_that_fails_leaves_its_node_in_error_and_can_be_repeated() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 2).await;
        make_ready(&server, &cluster, 0).await;
        let deletion = server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        asked(&server, 3).await;
        assert_eq!(cluster_status(&server, &cluster).await, "remove");
        says(&server, &deletion, json!({nodes[0].to_string(): "it is on fire", "rest": "done"})).await;
        assert_eq!(task(&server, &deletion).await["status"], "error");
        assert_eq!(cluster_status(&server, &cluster).await, "error");
        let left = server.get("/nodes").await.expect(200);
        assert_eq!(each(&left, "error_type"), [&json!("deletion")]);
        let deletion = server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        asked(&server, 4).await;
        says(&server, &deletion, json!({"rest": "done"})).await;
        server.get(&format!("/clusters/{cluster}")).await.expect(404);
        assert_eq!(server.get("/nodes").await.expect(200), json!([]));
    });
}

#[test]
fn a_task_is_heard_of_only_from_the_orchestrator_that_works_on_it() {
    on_both_databases("", async |server| {
        assert_eq!(says(&server, &json!("00000000-0000-7000-8000-000000000000"), json!({})).await, "Unknown");
        let local = server.create_cluster("local").await["id"].clone();
        let id = server.discover(&mac(1)).await["id"].clone();
        assign(&server, &local, std::slice::from_ref(&id), &[]).await;
        let task = ask(&server, &local, "provision").await;
        assert_eq!(says(&server, &task, json!({"rest": "a lie"})).await, "Unknown");
        assert_eq!(server.ended(&task).await["status"], "ready");
    });
}

/// What a report says of one node.
#[derive(Debug, Clone)]
enum Word {
    Progress(u8),
    Done,
    Failed,
}

/// A report on three nodes and a stranger: some are left out.
fn reports() -> impl Strategy<Value = Vec<Vec<(usize, Word)>>> {
    let word = prop_oneof![3 => (0..=120u8).prop_map(Word::Progress), 1 => Just(Word::Done), 1 => Just(Word::Failed)];
    prop::collection::vec(prop::collection::vec((0..4usize, word), 0..4), 0..12)
}

#[test]
fn reports_in_any_order_dropped_and_repeated_leave_what_the_model_says() {
    on_both_databases("", async |server| {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
        let (cluster, nodes) = cluster_of(&server, "c", 3).await;
        for round in 0..24 {
            let played = reports().new_tree(&mut runner).expect("reports").current();
            let work = ask(&server, &cluster, &format!("provision?nodes={}", joined(&nodes))).await;
            asked(&server, round + 1).await;
            // The model: the first end of a node is its end, and until then its progress is the highest that was heard.
            let mut model = BTreeMap::from([(0, (0, None)), (1, (0, None)), (2, (0, None))]);
            let mut last = 0;
            for report in &played {
                let mut body = json!({});
                for (index, word) in report {
                    let id = nodes.get(*index).map_or_else(|| "99999".to_owned(), Value::to_string);
                    body[id] = match word {
                        Word::Progress(percent) => json!(percent),
                        Word::Done => json!("done"),
                        Word::Failed => json!("it broke"),
                    };
                }
                let heard = says(&server, &work, body.clone()).await;
                let was_over = model.values().all(|(_, end)| end.is_some());
                // A later word on the same node replaces the earlier one in the body of this test.
                let of_nodes: BTreeMap<usize, &Word> = report.iter().map(|(index, word)| (*index, word)).collect();
                for (index, word) in of_nodes {
                    let Some((progress, end @ None)) = model.get_mut(&index) else { continue };
                    match word {
                        Word::Progress(percent) => *progress = i64::from(*percent).min(99).max(*progress),
                        Word::Done => *end = Some("provisioned"),
                        Word::Failed => *end = Some("error"),
                    }
                }
                assert!(!was_over || heard == "Outdated", "{played:?}: {heard}");
                assert_eq!(says(&server, &work, body).await, "Outdated", "the same again: {played:?}");
                let now = task(&server, &work).await["progress"].as_i64().expect("a number");
                assert!(now >= last, "{played:?}: from {last} back to {now}");
                last = now;
            }
            for (index, (progress, end)) in &model {
                let node = node(&server, &nodes[*index]).await;
                let expected = end.map_or(("provisioning", *progress), |end| (end, 100));
                assert_eq!(
                    (&node["status"], &node["progress"]),
                    (&json!(expected.0), &json!(expected.1)),
                    "{played:?}"
                );
            }
            let is_over = model.values().all(|(_, end)| end.is_some());
            let failed = model.values().any(|(_, end)| *end == Some("error"));
            let expected = match (is_over, failed) {
                (false, _) => "running",
                (true, false) => "ready",
                (true, true) => "error",
            };
            assert_eq!(task(&server, &work).await["status"], expected, "{played:?}");
            says(&server, &work, json!({"rest": "done"})).await;
            assert_ne!(task(&server, &work).await["status"], "running");
        }
    });
}

fn joined(ids: &[Value]) -> String {
    ids.iter().map(Value::to_string).collect::<Vec<_>>().join(",")
}
