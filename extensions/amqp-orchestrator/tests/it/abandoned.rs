//! Work that is given up by force.

use crate::bench::{wait_for, with_gate, with_nodes};
use rivetgun::prelude::json;

#[test]
fn what_no_worker_has_taken_yet_is_taken_back_when_its_task_is_deleted_by_force() {
    with_nodes(3, "nodes_a_message = 2", async |bench| {
        bench.worker.rest();
        let task = bench.begin("provision").await;
        wait_for("both messages".to_owned(), async || bench.worker.waiting_requests().await == 2).await;
        bench.server.delete(&format!("/tasks/{}?force=true", task["id"])).await.expect(204);
        assert_eq!((bench.worker.waiting_requests().await, bench.worker.received(0).await.len()), (0, 0));
        assert_eq!(bench.each("status").await, ["error"; 3]);
    });
}

#[test]
fn a_stop_ends_with_the_work_that_it_waits_for_although_that_was_deleted_by_force() {
    with_nodes(1, "", async |bench| {
        bench.worker.hold_all();
        let task = bench.begin("provision").await;
        bench.progresses(&task).await;
        bench.worker.forget();
        let stop = bench.begin("stop").await;
        bench.worker.received(2).await;
        bench.server.delete(&format!("/tasks/{}?force=true", task["id"])).await.expect(204);
        for said in [json!({"status": "running", "progress": 10}), json!({"status": "ready", "progress": 100})] {
            let mut args = said;
            args["task_uuid"] = task["uuid"].clone();
            bench.worker.reply("provision_resp", args).await;
        }
        bench.server.ended(&stop).await;
    });
}

#[test]
fn nobody_waits_for_a_broker_that_is_away_to_give_work_up() {
    with_gate(1, async |bench, gate| {
        let task = bench.begin("provision").await;
        wait_for("a line in the log".to_owned(), async || !bench.log(&task).await.is_empty()).await;
        bench.server.delete(&format!("/tasks/{}?force=true", task["id"])).await.expect(204);
        assert_eq!(bench.each("status").await, ["error"]);
        gate.open().await.expect("its port is free");
        bench.work("provision", "ready").await;
        assert_eq!(bench.worker.received(1).await.len(), 1, "what was given up is not sent");
        gate.close().await;
    });
}
