//! Work goes to the receiver and comes back as reports, from the first provisioning to the deletion of the cluster.

use crate::common::{ask, cluster_with_nodes, log_of, of_nodes, text, with_receiver, work_on};
use serde_json::{Value, json};
use webhook_receiver::plays;

#[test]
fn the_whole_life_of_a_cluster_is_worked_on_by_the_receiver() {
    with_receiver("", async |server, receiver| {
        let (cluster, nodes) = cluster_with_nodes(server, 2).await;
        for (work, status) in [("provision", "provisioned"), ("deploy", "ready")] {
            let task = work_on(server, &cluster, work).await;
            assert_eq!(
                (&task["status"], of_nodes(server, "status").await),
                (&json!("ready"), vec![json!(status); 2]),
                "{task}"
            );
            assert!(log_of(server, &task).await[0].contains("took the task on: 202"));
        }
        receiver
            .plays(|request| if request["work"] == "stop" { plays::done(request) } else { plays::nothing(request) });
        let stopped = ask(server, &cluster, &format!("provision?nodes={},{}", nodes[0], nodes[1])).await;
        receiver.received_many(3).await;
        let stop = work_on(server, &cluster, "stop").await;
        assert_eq!((&stop["status"], &server.ended(&stopped).await["message"]), (&json!("ready"), &json!("stopped")));
        assert_eq!(of_nodes(server, "status").await, ["discover", "discover"]);

        receiver.plays(plays::one_by_one);
        work_on(server, &cluster, "provision").await;
        let reset = work_on(server, &cluster, "reset").await;
        assert_eq!((&reset["status"], of_nodes(server, "status").await), (&json!("ready"), vec![json!("discover"); 2]));
        work_on(server, &cluster, "provision").await;
        let removal = server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        assert_eq!(server.ended(&removal).await["status"], "ready");
        server.get(&format!("/clusters/{cluster}")).await.expect(404);

        let received = receiver.received();
        let works: Vec<&str> = received.iter().map(|request| text(&request.json["work"])).collect();
        assert_eq!(
            works,
            ["provision", "deployment", "provision", "stop", "provision", "reset", "provision", "removal"]
        );
        assert_eq!(received[3].json["stops"], stopped["uuid"]);
        for request in &received {
            assert!(request.is_signed && !request.is_repeated, "{request:?}");
            assert_eq!(request.id, format!("rivetgun_{}", text(&request.json["task"])));
            assert_eq!(request.json["cluster"], json!({"id": cluster, "name": "c", "release": 1}));
            let ids: Vec<&Value> =
                request.json["nodes"].as_array().expect("a list").iter().map(|node| &node["id"]).collect();
            assert_eq!(ids, nodes.iter().collect::<Vec<_>>());
            assert_eq!(request.headers["content-type"], "application/json");
            assert_eq!(request.headers["content-length"], request.body.len().to_string());
            assert!(!request.headers.contains_key("transfer-encoding"));
        }
        let reported = receiver.reported();
        assert!(reported.iter().all(|report| report.status == 204), "{reported:?}");
    });
}

#[test]
fn a_node_that_fails_is_in_error_with_the_words_of_the_receiver_and_the_others_go_on() {
    with_receiver("", async |server, receiver| {
        let (cluster, nodes) = cluster_with_nodes(server, 3).await;
        receiver.plays(plays::node_fails(nodes[1].as_i64().expect("an id"), "no disk"));
        let task = work_on(server, &cluster, "provision").await;
        assert_eq!(task["status"], "error");
        assert!(text(&task["message"]).contains("no disk"), "{task}");
        assert_eq!(of_nodes(server, "status").await, ["provisioned", "error", "provisioned"]);
        assert_eq!(of_nodes(server, "error_msg").await[1], "no disk");
    });
}

#[test]
fn the_data_of_a_large_cluster_are_sent_split_and_as_they_are_kept() {
    with_receiver("", async |server, receiver| {
        let (cluster, nodes) = cluster_with_nodes(server, 200).await;
        server.put(&format!("/nodes/{}", nodes[7]), json!({"attributes": {"own": ["é", 1.5, null]}})).await.expect(200);
        for (work, info) in [("provision", "provisioning_info"), ("deploy", "deployment_info")] {
            let task = work_on(server, &cluster, work).await;
            let kept = server.get(&format!("/tasks/{}/{info}", task["id"])).await.expect(200);
            let received = receiver.received();
            let request = &received.last().expect("a request").json;
            let data = &request["data"];
            let count = data["nodes"].as_object().expect("an object").len();
            assert_eq!((&request["task"], count), (&task["uuid"], 200));
            assert_eq!(data["common"], kept["common"], "{work}");
            for id in &nodes {
                assert_eq!(data["nodes"][id.to_string()], kept["nodes"][id.to_string()], "{work} of {id}");
            }
        }
    });
}

#[test]
fn work_without_data_of_its_own_is_sent_with_what_all_nodes_share() {
    with_receiver("", async |server, receiver| {
        let (cluster, _) = cluster_with_nodes(server, 1).await;
        work_on(server, &cluster, "provision").await;
        work_on(server, &cluster, "reset").await;
        let received = receiver.received();
        assert_eq!(received[1].json["data"], json!({"common": {"image": "debian"}, "nodes": {}}));
    });
}
