//! Work is stopped: what Astute has, what it has no more, and what it has not yet.

use crate::bench::{wait_for, with_nodes};
use rivetgun::prelude::{Value, json};
use std::time::Duration;

#[test]
fn a_provisioning_that_is_stopped_leaves_its_nodes_erased() {
    with_nodes(3, "", async |bench| {
        let lost = bench.nodes[2].to_string();
        bench.worker.hold(&bench.nodes[1].to_string());
        bench.worker.hold(&lost);
        bench.worker.lose(&lost);
        let task = bench.begin("provision").await;
        bench.statuses(&["provisioned", "provisioning", "provisioning"]).await;
        bench.work("stop", "ready").await;
        assert_eq!(bench.each("status").await, ["provisioned", "discover", "discover"]);
        assert_eq!(bench.each("online").await, [true, true, false]);
        assert_eq!(
            (bench.server.ended(&task).await["status"].clone(), bench.status().await),
            (json!("error"), json!("stopped"))
        );
        let received = bench.worker.received(2).await;
        let stop = &received[1];
        assert_eq!(stop.args()["stop_task_uuid"], task["uuid"]);
        let nodes = stop.args()["nodes"].as_array().expect("nodes");
        assert_eq!(
            nodes[0],
            json!({
                "uid": bench.nodes[1].to_string(), "roles": ["compute"], "admin_ip": "10.20.0.2",
                "slave_name": bench.each("hostname").await[1],
            })
        );
        assert_eq!(stop.uids(), [bench.nodes[1].to_string(), lost]);
        assert_eq!(stop.args()["engine"]["master_ip"], "127.0.0.1");
    });
}

#[test]
fn a_deployment_that_is_stopped_leaves_its_nodes_stopped_and_goes_on_later() {
    with_nodes(3, "", async |bench| {
        bench.work("provision", "ready").await;
        bench.worker.hold(&bench.nodes[1].to_string());
        bench.worker.hold(&bench.nodes[2].to_string());
        let task = bench.begin("deploy").await;
        bench.statuses(&["ready", "deploying", "deploying"]).await;
        bench.work("stop", "ready").await;
        assert_eq!(bench.each("status").await, ["ready", "stopped", "stopped"]);
        assert_eq!(
            (bench.server.ended(&task).await["message"].clone(), bench.status().await),
            (json!("stopped"), json!("stopped"))
        );
        bench.worker.release();
        bench.work("deploy", "ready").await;
        assert_eq!(bench.status().await, "operational");
    });
}

#[test]
fn a_stop_does_not_overtake_the_work_that_it_stops() {
    with_nodes(1, "", async |bench| {
        bench.worker.hold_all();
        bench.worker.nap(Duration::from_secs(1));
        let task = bench.begin("provision").await;
        let taken = async || bench.log(&task).await.iter().any(|line| line.contains("sent image_provision"));
        wait_for("the message".to_owned(), async || taken().await && bench.worker.waiting_requests().await == 0).await;
        // Whoever takes the work does not know of it yet, and says nothing to a stop of it.
        bench.work("stop", "ready").await;
        assert_eq!(bench.server.ended(&task).await["message"], "stopped");
        let received = bench.worker.received(2).await;
        assert_eq!(received[1].method(), "stop_deploy_task");
    });
}

#[test]
fn each_message_of_a_task_is_stopped_by_one_of_its_own() {
    with_nodes(5, "nodes_a_message = 2", async |bench| {
        bench.worker.hold_all();
        bench.begin("provision").await;
        let sent = bench.worker.received(3).await;
        bench.work("stop", "ready").await;
        assert_eq!(bench.each("status").await, ["discover"; 5]);
        let received = bench.worker.received(6).await;
        let mut stopped: Vec<&Value> = received[3..].iter().map(|stop| &stop.args()["stop_task_uuid"]).collect();
        let mut ids: Vec<&Value> = sent.iter().map(|sent| &sent.args()["task_uuid"]).collect();
        stopped.sort_by_key(|id| id.to_string());
        ids.sort_by_key(|id| id.to_string());
        assert_eq!(stopped, ids);
    });
}

#[test]
fn work_that_ends_while_it_is_stopped_ends_the_stop_too() {
    with_nodes(1, "", async |bench| {
        let uid = bench.nodes[0].to_string();
        // A message that this worker knows nothing of, like work that an Astute lost or has ended just now.
        bench.worker.hold(&uid);
        let task = bench.begin("provision").await;
        bench.worker.received(1).await;
        bench.worker.forget();
        let stop = bench.begin("stop").await;
        bench.worker.received(2).await;
        let args = json!({"task_uuid": task["uuid"], "status": "ready", "progress": 100});
        bench.worker.reply("provision_resp", args).await;
        assert_eq!(bench.server.ended(&stop).await["status"], "ready");
        assert_eq!(bench.server.ended(&task).await["status"], "ready");
        assert_eq!(bench.each("status").await, ["provisioned"]);
    });
}

#[test]
fn what_no_worker_has_taken_yet_is_taken_back() {
    with_nodes(3, "nodes_a_message = 2", async |bench| {
        bench.worker.rest();
        let task = bench.begin("provision").await;
        wait_for("both messages".to_owned(), async || bench.worker.waiting_requests().await == 2).await;
        wait_for("the receipt".to_owned(), async || bench.log(&task).await.len() == 2).await;
        bench.work("stop", "ready").await;
        assert_eq!((bench.worker.waiting_requests().await, bench.worker.received(0).await.len()), (0, 0));
        assert_eq!((bench.each("status").await, bench.status().await), (vec![json!("discover"); 3], json!("stopped")));
    });
}

#[test]
fn a_stop_that_no_worker_can_hear_fails_and_says_so() {
    with_nodes(1, "", async |mut bench| {
        bench.worker.hold_all();
        let task = bench.begin("provision").await;
        bench.progresses(&task).await;
        bench.worker.leave().await;
        let stop = bench.work("stop", "error").await;
        assert!(stop["message"].as_str().is_some_and(|message| message.contains("no Astute listens")), "{stop}");
        let running = bench.server.get(&format!("/tasks/{}", task["id"])).await.expect(200);
        assert_eq!((&running["status"], bench.each("status").await), (&json!("running"), vec![json!("provisioning")]));
    });
}

#[test]
fn a_deployment_that_fails_after_its_stop_was_given_up_ends() {
    with_nodes(1, "", async |bench| {
        bench.work("provision", "ready").await;
        bench.worker.hold_all();
        let task = bench.begin("deploy").await;
        bench.worker.received(2).await;
        // Astute says nothing to the stop, and a person gives that up.
        bench.worker.forget();
        let stop = bench.begin("stop").await;
        bench.worker.received(3).await;
        bench.server.delete(&format!("/tasks/{}?force=true", stop["id"])).await.expect(204);
        bench.fail("deploy_resp", &task).await;
        assert_eq!(
            (bench.each("status").await, bench.each("error_msg").await),
            (vec![json!("error")], vec![json!("it broke")])
        );
    });
}

#[test]
fn a_deployment_that_fails_after_nobody_could_hear_its_stop_ends() {
    with_nodes(1, "", async |mut bench| {
        bench.work("provision", "ready").await;
        bench.worker.hold_all();
        let task = bench.begin("deploy").await;
        bench.progresses(&task).await;
        bench.worker.leave().await;
        bench.work("stop", "error").await;
        bench.fail("deploy_resp", &task).await;
        assert_eq!(bench.each("error_msg").await, ["it broke"]);
    });
}

#[test]
fn deployments_of_several_messages_are_stopped_one_after_the_other() {
    with_nodes(3, "nodes_a_message = 2", async |bench| {
        bench.work("provision", "ready").await;
        bench.worker.hold_all();
        let task = bench.begin("deploy").await;
        bench.worker.received(4).await;
        bench.worker.say_all_twice();
        bench.work("stop", "ready").await;
        assert_eq!((bench.each("status").await, bench.status().await), (vec![json!("stopped"); 3], json!("stopped")));
        assert_eq!(bench.server.ended(&task).await["message"], "stopped");
    });
}
