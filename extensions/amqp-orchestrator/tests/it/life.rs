//! A cluster from its first provisioning to its end.

use crate::bench::with_nodes;
use rivetgun::prelude::{Value, json};

#[test]
fn a_cluster_is_provisioned_deployed_reset_and_deleted() {
    with_nodes(4, "", async |bench| {
        bench.work("provision", "ready").await;
        assert_eq!(bench.each("status").await, ["provisioned"; 4]);
        bench.work("deploy", "ready").await;
        assert_eq!((bench.each("status").await, bench.status().await), (vec![json!("ready"); 4], json!("operational")));
        bench.work("reset", "ready").await;
        assert_eq!((bench.each("status").await, bench.status().await), (vec![json!("discover"); 4], json!("new")));
        bench.work("changes", "ready").await;
        assert_eq!(bench.each("status").await, ["ready"; 4]);

        let cluster = format!("/clusters/{}", bench.cluster);
        let deletion = bench.server.delete(&cluster).await.expect(202);
        assert_eq!(bench.server.ended(&deletion).await["status"], "ready");
        bench.server.get(&cluster).await.expect(404);
        assert_eq!(bench.server.get("/nodes").await.expect(200), json!([]));

        let received = bench.worker.received(6).await;
        let methods: Vec<&str> = received.iter().map(|sent| sent.method()).collect();
        let expected =
            ["image_provision", "task_deploy", "reset_environment", "image_provision", "task_deploy", "remove_nodes"];
        assert_eq!(methods, expected);
        for sent in &received {
            assert_eq!(sent.uids().len(), 4);
            assert_eq!(sent.message_id.as_deref(), Some(sent.task_uuid()));
            assert!(sent.is_persistent);
        }
    });
}

#[test]
fn changes_remove_provision_and_deploy_what_is_pending() {
    with_nodes(3, "", async |bench| {
        let [first, second, third] = [&bench.nodes[0], &bench.nodes[1], &bench.nodes[2]];
        let path = format!("/clusters/{}/unassignment", bench.cluster);
        bench.server.post(&path, json!([{"id": third}])).await.expect(200);
        bench.work("changes", "ready").await;
        let assigned = json!([{"id": third, "roles": ["cinder"]}]);
        bench.server.post(&format!("/clusters/{}/assignment", bench.cluster), assigned).await.expect(200);
        bench.server.post(&path, json!([{"id": second}])).await.expect(200);
        bench.work("changes", "ready").await;
        let left = bench.server.get("/nodes").await.expect(200);
        let ids: Vec<&Value> = left.as_array().into_iter().flatten().map(|node| &node["id"]).collect();
        assert!(ids.contains(&first) && ids.contains(&third), "{ids:?}");
        let statuses: Vec<&Value> = left.as_array().into_iter().flatten().map(|node| &node["status"]).collect();
        assert!(statuses.iter().all(|status| *status == "ready" || *status == "discover"), "{left}");
    });
}

#[test]
fn a_node_that_fails_is_told_with_the_reason_and_can_be_worked_on_again() {
    with_nodes(2, "", async |bench| {
        let uid = bench.nodes[1].to_string();
        bench.worker.fail(&uid, "no disk");
        let task = bench.work("provision", "error").await;
        assert!(task["message"].as_str().is_some_and(|message| message.contains("no disk")), "{task}");
        assert_eq!(bench.each("status").await, ["provisioned", "error"]);
        assert_eq!(bench.each("error_msg").await, [Value::Null, json!("no disk")]);
        assert_eq!(bench.each("error_type").await, [Value::Null, json!("provision")]);
        assert_eq!(bench.status().await, "error");
        bench.worker.mend(&uid);
        bench.work("provision", "ready").await;

        bench.worker.lose(&uid);
        bench.work("deploy", "error").await;
        assert_eq!(bench.each("error_msg").await, [Value::Null, json!("the node is offline")]);
        assert_eq!(bench.each("online").await, [json!(true), json!(false)]);
        bench.worker.mend(&uid);
        bench.work("deploy", "ready").await;
        assert_eq!(bench.each("status").await, ["ready", "ready"]);
    });
}

#[test]
fn a_node_that_cannot_be_removed_stays_and_says_why() {
    with_nodes(2, "", async |bench| {
        bench.work("provision", "ready").await;
        bench.worker.fail(&bench.nodes[1].to_string(), "it does not answer");
        let path = format!("/nodes?ids={},{}", bench.nodes[0], bench.nodes[1]);
        let task = bench.server.delete(&path).await.expect(202);
        assert_eq!(bench.server.ended(&task).await["status"], "error");
        bench.server.get(&format!("/nodes/{}", bench.nodes[0])).await.expect(404);
        let left = bench.server.get(&format!("/nodes/{}", bench.nodes[1])).await.expect(200);
        assert_eq!((&left["status"], &left["error_msg"]), (&json!("error"), &json!("it does not answer")));
    });
}
