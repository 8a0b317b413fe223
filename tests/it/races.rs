//! Work, reports and people that get into each other's way. Each of these was found broken once.

use crate::{
    common::{assign, commands, list, mac, node_named},
    puppet::{ask, asked, cluster_of, says},
};
use axum::http::Method;
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};

async fn get(server: &TestServer, kind: &str, id: &Value) -> Value {
    server.get(&format!("/{kind}/{id}")).await.expect(200)
}

#[test]
fn a_late_report_of_a_task_does_not_end_the_work_of_another_cluster_on_the_node() {
    on_both_databases("", async |server| {
        let (first, nodes) = cluster_of(&server, "one", 2).await;
        let old = ask(&server, &first, "provision").await;
        asked(&server, 1).await;
        let stop = ask(&server, &first, "stop").await;
        asked(&server, 2).await;
        // One node is wiped already, the stop of the other goes on.
        says(&server, &stop, json!({nodes[0].to_string(): "erased"})).await;
        assert_eq!(get(&server, "nodes", &nodes[0]).await["status"], "discover");
        server.post(&format!("/clusters/{first}/unassignment"), json!([{"id": nodes[0]}])).await.expect(200);
        let (second, _) = cluster_of(&server, "two", 0).await;
        assign(&server, &second, &nodes[..1], &["a"]).await;
        let new = ask(&server, &second, "provision").await;
        asked(&server, 3).await;
        says(&server, &old, json!({nodes[0].to_string(): "done"})).await;
        assert_eq!(get(&server, "nodes", &nodes[0]).await["status"], "provisioning", "nobody reported on {new}");
    });
}

#[test]
fn roles_that_were_never_sent_stay_pending() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 1).await;
        ask(&server, &cluster, "changes").await;
        let provision = asked(&server, 1).await;
        // While the node is provisioned, a person decides otherwise.
        assign(&server, &cluster, &nodes, &["b"]).await;
        says(&server, &provision["task"], json!({"rest": "done"})).await;
        let deployment = asked(&server, 2).await;
        says(&server, &deployment["task"], json!({"rest": "done"})).await;
        let tasks = server.get("/tasks").await.expect(200);
        let id = list(&tasks).iter().find(|task| task["uuid"] == deployment["task"]).expect("it")["id"].clone();
        let sent = server.get(&format!("/tasks/{id}/deployment_info")).await.expect(200);
        let node = get(&server, "nodes", &nodes[0]).await;
        let was_sent = &sent["nodes"][nodes[0].to_string()]["roles"];
        assert_eq!((&node["status"], &node["roles"]), (&json!("ready"), was_sent), "{node}");
    });
}

#[test]
fn what_changed_after_the_data_were_made_is_still_a_change() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_of(&server, "c", 1).await;
        ask(&server, &cluster, "changes").await;
        let provision = asked(&server, 1).await;
        server.patch(&format!("/clusters/{cluster}/attributes"), json!({"debug": true})).await.expect(200);
        says(&server, &provision["task"], json!({"rest": "done"})).await;
        let deployment = asked(&server, 2).await;
        says(&server, &deployment["task"], json!({"rest": "done"})).await;
        let cluster = get(&server, "clusters", &cluster).await;
        assert!(list(&cluster["changes"]).contains(&json!("attributes")), "{cluster}");
    });
}

#[test]
fn who_may_refuse_the_deletion_of_a_node_is_asked_before_changes_remove_it() {
    for hook in ["on_node_delete", "on_remove_node_from_cluster"] {
        on_both_databases("", async |server| {
            let (cluster, _) = cluster_of(&server, "c", 0).await;
            let node = node_named(&server, 1, &format!("{hook}: veto")).await;
            assign(&server, &cluster, std::slice::from_ref(&node), &["a"]).await;
            for (number, work) in ["provision", "deploy"].into_iter().enumerate() {
                let task = ask(&server, &cluster, work).await;
                asked(&server, number + 1).await;
                says(&server, &task, json!({"rest": "done"})).await;
            }
            server.delete(&format!("/nodes/{node}")).await.expect(409);
            server.post(&format!("/clusters/{cluster}/unassignment"), json!([{"id": node}])).await.expect(200);
            server.put(&format!("/clusters/{cluster}/changes"), Value::Null).await.expect(409);
        });
    }
}

#[test]
fn a_node_that_was_to_be_removed_leaves_when_nothing_is_left_of_it() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 1).await;
        ask(&server, &cluster, "provision").await;
        asked(&server, 1).await;
        server.post(&format!("/clusters/{cluster}/unassignment"), json!([{"id": nodes[0]}])).await.expect(200);
        let stop = ask(&server, &cluster, "stop").await;
        asked(&server, 2).await;
        says(&server, &stop, json!({"rest": "done"})).await;
        let node = get(&server, "nodes", &nodes[0]).await;
        assert_eq!(
            (&node["status"], &node["cluster"], &node["pending_deletion"]),
            (&json!("discover"), &Value::Null, &json!(false))
        );
    });
}

#[test]
fn no_cluster_stays_in_deployment_when_nothing_runs() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_of(&server, "c", 1).await;
        let whole = ask(&server, &cluster, "changes").await;
        let provision = asked(&server, 1).await;
        let stop = ask(&server, &cluster, "stop").await;
        asked(&server, 2).await;
        // The first part ends before the stop arrives, and a person loses patience.
        says(&server, &provision["task"], json!({"rest": "done"})).await;
        server.delete(&format!("/tasks/{}?force=true", whole["id"])).await.expect(204);
        says(&server, &stop, json!({"rest": "done"})).await;
        server.ended(&stop).await;
        let status = get(&server, "clusters", &cluster).await["status"].clone();
        let deletion = server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        let deletion = server.wait_for(&format!("/tasks/{}", deletion["id"]), |task| task["status"] != "pending").await;
        assert_ne!(status, "deployment", "nothing runs; and the deletion: {deletion}");
    });
}

#[test]
fn a_whole_is_not_deleted_under_a_part_that_runs() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 1).await;
        let whole = ask(&server, &cluster, "changes").await;
        let provision = asked(&server, 1).await;
        let later = list(&whole["subtasks"])[1].clone();
        server.delete(&format!("/tasks/{later}?force=true")).await.expect(204);
        let ended = get(&server, "tasks", &whole["id"]).await;
        assert_eq!(ended["status"], "running", "a part of it runs still: {ended}");
        server.delete(&format!("/tasks/{}", whole["id"])).await.expect(409);
        says(&server, &provision["task"], json!({"rest": "done"})).await;
        assert_eq!(get(&server, "nodes", &nodes[0]).await["status"], "provisioned");
    });
}

#[test]
fn a_reset_by_force_begins_when_what_it_ends_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().display().to_string();
    let deploy = format!("trap '' TERM; echo $$ > {at}/pid; while :; do sleep 0.05; done");
    let reset = format!("kill -0 $(cat {at}/pid) 2>/dev/null && touch {at}/overlap; true");
    let settings = commands(&dir, "true", &deploy, 60).replace("parallel", &format!("reset = '''{reset}'''\nparallel"));
    on_both_databases(&settings, async |server| {
        drop(std::fs::remove_file(dir.path().join("pid")));
        let cluster = server.create_cluster("c").await["id"].clone();
        let node = server.discover(&mac(1)).await["id"].clone();
        assign(&server, &cluster, &[node], &["a"]).await;
        let task = ask(&server, &cluster, "provision").await;
        assert_eq!(server.ended(&task).await["status"], "ready");
        ask(&server, &cluster, "deploy").await;
        crate::common::until("it runs", async || dir.path().join("pid").exists()).await;
        let reset = ask(&server, &cluster, "reset?force=true").await;
        let reset = server.ended(&reset).await;
        assert!(!dir.path().join("overlap").exists(), "both ran at once: {reset}");
    });
}

#[test]
fn the_whole_of_removals_in_two_clusters_ends_when_both_are_stopped() {
    on_both_databases("", async |server| {
        for round in 0..25 {
            let mut ids = Vec::new();
            let mut clusters = Vec::new();
            for half in 0..2 {
                let (cluster, nodes) = cluster_of(&server, &format!("c{round} {half}"), 1).await;
                let known = list(&server.get("/puppeteer/dispatches").await.expect(200)).len();
                let task = ask(&server, &cluster, "provision").await;
                asked(&server, known + 1).await;
                says(&server, &task, json!({"rest": "done"})).await;
                ids.push(nodes[0].to_string());
                clusters.push(cluster);
            }
            let whole = server.delete(&format!("/nodes?ids={}", ids.join(","))).await.expect(202);
            let paths = clusters.iter().map(|cluster| format!("/clusters/{cluster}/stop")).collect::<Vec<_>>();
            let (one, two) = tokio::join!(
                server.request(Method::PUT, &paths[0], None),
                server.request(Method::PUT, &paths[1], None)
            );
            let states = server.get("/tasks?limit=1000").await.expect(200);
            let unfinished: Vec<&Value> = list(&states)
                .iter()
                .filter(|task| task["status"] == "running" || task["status"] == "pending")
                .collect();
            let only_the_whole = unfinished.iter().all(|task| task["id"] == whole["id"]) && !unfinished.is_empty();
            assert!(!only_the_whole, "round {round}: {} {}: {unfinished:?}", one.status(), two.status());
            // Else let it end.
            for task in unfinished {
                drop(server.delete(&format!("/tasks/{}?force=true", task["id"])).await);
            }
        }
    });
}

#[test]
fn of_two_stops_at_once_one_is_refused() {
    on_both_databases("", async |server| {
        for round in 0..15 {
            let (cluster, _) = cluster_of(&server, &format!("c{round}"), 1).await;
            let known = list(&server.get("/puppeteer/dispatches").await.expect(200)).len();
            ask(&server, &cluster, "provision").await;
            asked(&server, known + 1).await;
            let path = format!("/clusters/{cluster}/stop");
            let (one, two) =
                tokio::join!(server.request(Method::PUT, &path, None), server.request(Method::PUT, &path, None));
            let codes = [one.status(), two.status()];
            let tasks = server.get(&format!("/tasks?cluster_id={cluster}")).await.expect(200);
            assert!(codes.contains(&409), "round {round}: {codes:?} {tasks}");
        }
    });
}

#[test]
fn a_reason_with_a_nul_ends_its_task_like_any_other() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 1).await;
        let task = ask(&server, &cluster, "provision").await;
        asked(&server, 1).await;
        let said = json!({nodes[0].to_string(): "it said (NUL) and died"});
        let heard = server.post(&format!("/puppeteer/report/{}", task["uuid"].as_str().expect("it")), said).await;
        let now = get(&server, "tasks", &task["id"]).await;
        assert_eq!((heard.status(), &now["status"]), (200, &json!("error")), "{} {now}", heard.text());
    });
}

#[test]
fn a_task_whose_node_was_wiped_by_a_stop_has_not_ended_well() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "c", 2).await;
        let task = ask(&server, &cluster, "provision").await;
        asked(&server, 1).await;
        let stop = ask(&server, &cluster, "stop").await;
        asked(&server, 2).await;
        says(&server, &stop, json!({nodes[0].to_string(): "erased"})).await;
        says(&server, &task, json!({"rest": "done"})).await;
        let task = get(&server, "tasks", &task["id"]).await;
        assert_ne!(task["status"], "ready", "{task}");
    });
}

#[test]
fn what_nobody_has_taken_on_is_not_offered_any_more_once_it_is_stopped() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_of(&server, "absent", 1).await;
        let provision = ask(&server, &cluster, "provision").await;
        server.wait_for(&format!("/tasks/{}", provision["id"]), |task| task["status"] == "running").await;
        let stop = ask(&server, &cluster, "stop").await;
        let asked_for = asked(&server, 1).await;
        assert_eq!((&asked_for["work"], &asked_for["stops"]), (&json!("stop"), &provision["uuid"]));
        says(&server, &stop, json!({"rest": "done"})).await;
        assert_eq!(server.ended(&provision).await["message"], "stopped");
        assert_eq!(get(&server, "nodes", &nodes[0]).await["status"], "discover");
    });
}
