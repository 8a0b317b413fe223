//! Tasks of many nodes are divided among messages.

use crate::bench::with_nodes;
use rivetgun::prelude::{Value, json};
use std::collections::BTreeSet;

#[test]
fn a_task_of_many_nodes_becomes_messages_of_few_and_each_ends_its_own_nodes() {
    with_nodes(5, "nodes_a_message = 2", async |bench| {
        let held = bench.nodes[2].to_string();
        bench.worker.hold(&held);
        let task = bench.begin("provision").await;
        let sent = bench.worker.received(3).await;
        assert_eq!(sent.iter().map(|sent| sent.uids().len()).collect::<Vec<_>>(), [2, 2, 1]);
        let uids: BTreeSet<String> = sent.iter().flat_map(|sent| sent.uids()).collect();
        assert_eq!(uids.len(), 5);
        let ids: BTreeSet<&str> = sent.iter().map(|sent| sent.task_uuid()).collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(sent[0].args()["task_uuid"], task["uuid"]);
        // Two of the three are ready; their end is not that of the third.
        bench.statuses(&["provisioned", "provisioned", "provisioning", "provisioned", "provisioned"]).await;
        let running = bench.server.get(&format!("/tasks/{}", task["id"])).await.expect(200);
        assert_eq!(running["status"], "running");
        bench.worker.release();
        assert_eq!(bench.server.ended(&task).await["status"], "ready");
        assert_eq!(bench.log(&task).await.len(), 3);
    });
}

#[test]
fn a_message_that_fails_as_a_whole_fails_its_own_nodes_only() {
    with_nodes(4, "nodes_a_message = 2", async |bench| {
        bench.worker.hold_all();
        let task = bench.begin("provision").await;
        let sent = bench.worker.received(2).await;
        let args = json!({"task_uuid": sent[1].task_uuid(), "status": "error", "error": "Method provision. x."});
        bench.worker.reply("provision_resp", args).await;
        bench.statuses(&["provisioning", "provisioning", "error", "error"]).await;
        bench.worker.release();
        assert_eq!(bench.server.ended(&task).await["status"], "error");
        assert_eq!(bench.each("status").await, ["provisioned", "provisioned", "error", "error"]);
    });
}

#[test]
fn no_message_grows_with_the_square_of_the_nodes() {
    with_nodes(24, "nodes_a_message = 4\ncompression = \"none\"", async |bench| {
        bench.work("provision", "ready").await;
        bench.work("deploy", "ready").await;
        let sizes = |method: &str, received: &[astute_worker::Received]| -> Vec<usize> {
            received.iter().filter(|sent| sent.method() == method).map(|sent| sent.size).collect()
        };
        let received = bench.worker.received(12).await;
        for method in ["image_provision", "task_deploy"] {
            let sizes = sizes(method, &received);
            assert_eq!(sizes.len(), 6, "{method}");
            let (least, most) = (sizes.iter().min().expect("sizes"), sizes.iter().max().expect("sizes"));
            assert!(most - least < 100, "{method}: {sizes:?}");
        }
        assert!(received.iter().all(|sent| sent.compression.is_none()));
        let everything: Value = bench.server.get("/tasks").await.expect(200);
        assert_eq!(everything.as_array().map(Vec::len), Some(2));
    });
}
