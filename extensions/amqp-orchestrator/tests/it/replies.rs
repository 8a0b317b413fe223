//! Replies that come twice, late, or make no sense.

use crate::bench::{wait_for, with_nodes};
use rivetgun::prelude::json;

#[test]
fn what_is_said_twice_or_late_changes_nothing() {
    with_nodes(2, "", async |bench| {
        bench.worker.say_all_twice();
        let provision = bench.work("provision", "ready").await;
        bench.worker.fail(&bench.nodes[0].to_string(), "no disk");
        let task = bench.work("deploy", "error").await;
        let before = bench.server.get("/nodes").await.expect(200);
        let notifications = bench.server.get("/notifications").await.expect(200);
        let uid = bench.nodes[0].to_string();
        for (uuid, args) in [
            (&task["uuid"], json!({"status": "ready", "nodes": [{"uid": uid, "status": "ready", "progress": 100}]})),
            (&task["uuid"], json!({"nodes": [{"uid": uid, "status": "deploying", "progress": 10, "online": false}]})),
            (&provision["uuid"], json!({"status": "error", "error": "late"})),
            (&json!("00000000-0000-4000-8000-000000000000"), json!({"status": "ready"})),
        ] {
            let mut args = args;
            args["task_uuid"] = uuid.clone();
            bench.worker.reply("deploy_resp", args).await;
        }
        wait_for("an empty queue".to_owned(), async || bench.worker.waiting_replies().await == 0).await;
        // What is sent after it is heard after it.
        bench.worker.mend(&uid);
        bench.work("deploy", "ready").await;
        let known = |text: &rivetgun::prelude::Value| text.as_array().map_or(0, Vec::len);
        assert_eq!(known(&bench.server.get("/notifications").await.expect(200)), known(&notifications) + 1);
        assert_eq!(before[0]["error_msg"], "no disk");
        assert_eq!(bench.each("online").await, [true, true]);
    });
}

#[test]
fn a_reply_that_cannot_be_read_is_set_aside_and_the_next_one_is_heard() {
    with_nodes(1, "", async |bench| {
        bench.worker.hold_all();
        let task = bench.begin("provision").await;
        bench.worker.received(1).await;
        let poison: [&[u8]; 4] =
            [b"", b"{not json", b"\x1f\x8bbroken", br#"{"method": "x", "args": {"task_uuid": null}}"#];
        for body in poison {
            bench.worker.send(body).await;
        }
        bench.worker.release();
        assert_eq!(bench.server.ended(&task).await["status"], "ready");
        let mut dead = Vec::new();
        while dead.len() < poison.len() {
            dead.extend(bench.worker.dead_letters().await);
        }
        assert_eq!(dead, poison);
        wait_for("an empty queue".to_owned(), async || bench.worker.waiting_replies().await == 0).await;
    });
}
