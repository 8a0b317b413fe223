//! Replies that come twice, late, or make no sense.

use crate::bench::{wait_for, with_nodes};
use rivetgun::prelude::{
    Uuid, json,
    sea_orm::{ConnectionTrait, Database, DbBackend, Statement},
};

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

#[test]
fn a_reply_is_heard_however_long_the_work_takes() {
    with_nodes(2, "keep_days = 1", async |bench| {
        // The table can be reached from here in one of the two databases.
        if bench.server.database() != "sqlite" {
            return;
        }
        let ended = bench.work("provision", "ready").await;
        bench.worker.hold_all();
        let task = bench.begin("deploy").await;
        bench.worker.received(2).await;
        wait_for("the receipt".to_owned(), async || bench.log(&task).await.len() == 1).await;
        let url = format!("sqlite://{}", bench.server.state_dir().join("rivetgun.sqlite").display());
        let table = Database::connect(url).await.expect("it opens");
        let age =
            "UPDATE amqp_orchestrator_messages SET time = strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now', '-60 days')";
        table.execute_unprepared(age).await.expect("it is written");
        // Whoever sends work forgets what is old.
        let other = bench.server.post("/clusters", json!({"name": "two", "orchestrator": "amqp"})).await.expect(201);
        let node = bench.server.discover("02:00:00:00:01:01").await;
        let path = format!("/clusters/{}", other["id"]);
        bench.server.post(&format!("{path}/assignment"), json!([{"id": node["id"]}])).await.expect(200);
        bench.server.put(&format!("{path}/provision"), json!(null)).await.expect(202);
        bench.worker.received(3).await;
        let known = "SELECT task FROM amqp_orchestrator_messages ORDER BY time";
        let known = table.query_all_raw(Statement::from_string(DbBackend::Sqlite, known)).await.expect("rows");
        let known: Vec<Uuid> = known.iter().map(|row| row.try_get("", "task").expect("a uuid")).collect();
        assert!(known.len() == 2 && known[0].to_string() == task["uuid"], "{known:?}: neither {ended} nor others");
        bench.worker.release();
        assert_eq!(bench.server.ended(&task).await["status"], "ready");
    });
}
