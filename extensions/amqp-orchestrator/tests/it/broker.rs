//! The broker is away, and comes back.

use crate::bench::{wait_for, with_gate, with_own_broker};
use rivetgun::prelude::json;

#[test]
fn work_waits_for_a_broker_that_is_away_at_the_start() {
    with_gate(2, async |bench, gate| {
        let task = bench.begin("provision").await;
        wait_for("a line in the log".to_owned(), async || !bench.log(&task).await.is_empty()).await;
        assert!(bench.log(&task).await[0].starts_with("the broker is away"), "{:?}", bench.log(&task).await);
        assert_eq!(bench.each("status").await, ["provisioning"; 2]);
        assert_eq!(bench.server.get("/nodes").await.expect(200).as_array().map(Vec::len), Some(2), "it serves");
        gate.open().await.expect("its port is free");
        assert_eq!(bench.server.ended(&task).await["status"], "ready");
        let log = bench.log(&task).await;
        assert!(log[1] == "the broker is back" && log[2].starts_with("sent image_provision 1/1"), "{log:?}");
        bench.worker.received(1).await;
        gate.close().await;
    });
}

#[test]
fn work_that_is_stopped_while_the_broker_is_away_is_never_sent() {
    with_gate(1, async |bench, gate| {
        let task = bench.begin("provision").await;
        wait_for("a line in the log".to_owned(), async || !bench.log(&task).await.is_empty()).await;
        let stop = bench.begin("stop").await;
        wait_for("a line in the log".to_owned(), async || !bench.log(&stop).await.is_empty()).await;
        gate.open().await.expect("its port is free");
        assert_eq!(bench.server.ended(&stop).await["status"], "ready");
        assert_eq!(bench.server.ended(&task).await["message"], "stopped");
        assert_eq!(bench.each("status").await, ["discover"]);
        bench.work("provision", "ready").await;
        assert_eq!(bench.worker.received(1).await.len(), 1, "what was stopped is not sent");
        gate.close().await;
    });
}

#[test]
fn work_whose_stop_is_given_up_is_sent_after_all() {
    with_gate(1, async |bench, gate| {
        let task = bench.begin("provision").await;
        wait_for("a line in the log".to_owned(), async || !bench.log(&task).await.is_empty()).await;
        let stop = bench.begin("stop").await;
        wait_for("a line in the log".to_owned(), async || !bench.log(&stop).await.is_empty()).await;
        bench.server.delete(&format!("/tasks/{}?force=true", stop["id"])).await.expect(204);
        gate.open().await.expect("its port is free");
        assert_eq!(bench.server.ended(&task).await["status"], "ready");
        gate.close().await;
    });
}

#[test]
fn a_deployment_goes_on_after_the_broker_was_restarted_in_its_middle() {
    with_own_broker(3, async |bench, broker| {
        tokio::task::block_in_place(|| broker.start_again()).expect("it starts");
        bench.work("provision", "ready").await;
        bench.worker.hold(&bench.nodes[1].to_string());
        let task = bench.begin("deploy").await;
        bench.statuses(&["ready", "deploying", "ready"]).await;
        tokio::task::block_in_place(|| broker.stop()).expect("it stops");
        // The worker has something to say that the broker cannot take, and Rivetgun something to do.
        bench.worker.release();
        let cluster = bench.server.post("/clusters", json!({"name": "two", "orchestrator": "amqp"})).await.expect(201);
        let node = bench.server.discover("02:00:00:00:01:01").await;
        let path = format!("/clusters/{}", cluster["id"]);
        bench.server.post(&format!("{path}/assignment"), json!([{"id": node["id"]}])).await.expect(200);
        let other = bench.server.put(&format!("{path}/provision"), json!(null)).await.expect(202);
        wait_for("a line in the log".to_owned(), async || !bench.log(&other).await.is_empty()).await;
        assert_eq!(bench.each("status").await, ["ready", "deploying", "ready"]);
        tokio::task::block_in_place(|| broker.start_again()).expect("it starts");
        assert_eq!(bench.server.ended(&task).await["status"], "ready");
        assert_eq!(bench.server.ended(&other).await["status"], "ready");
        let received = bench.worker.received(3).await;
        assert_eq!(received.len(), 3, "nothing is sent twice: {received:?}");
        tokio::task::block_in_place(|| broker.stop()).expect("it stops");
    });
}

#[test]
fn a_server_that_sends_nothing_looks_for_no_broker() {
    let url = "amqp://guest:guest@127.0.0.1:1/%2f";
    rivetgun::testkit::on_both_databases(&astute_worker::Names::default().settings(url), async |server| {
        server.get("/extensions/amqp_orchestrator").await.expect(200);
        let cluster = server.create_cluster("one").await;
        let node = server.discover("02:00:00:00:00:01").await;
        server.post(&format!("/clusters/{}/assignment", cluster["id"]), json!([{"id": node["id"]}])).await.expect(200);
        let task = server.put(&format!("/clusters/{}/provision", cluster["id"]), json!(null)).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
    });
}
