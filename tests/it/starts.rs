//! Extensions are initialized, started and closed in order, and one that cannot be started is left out.

use crate::{
    common::{assign, contains, each, list, mac, node_named, until},
    steps,
};
use axum::{body::Body, extract::Request, http::Method};
use rivetgun::testkit::{Answer, TestServer, on_both_databases};
use serde_json::{Value, json};
use std::path::Path;

const LIMITS: &str = "[limits]\ninitialize_timeout_ms = 300\nstart_timeout_ms = 300\nclose_timeout_ms = 300\n";

/// Settings in which something is wrong with `faulty`.
fn faulty(lines: &str) -> String {
    format!("{LIMITS}[extensions.faulty]\n{lines}\n")
}

async fn at_root(server: &TestServer, path: &str) -> Answer {
    server.send(Request::get(path).body(Body::empty()).expect("a request")).await
}

#[test]
fn an_extension_that_cannot_be_started_is_left_out_and_people_are_told_why() {
    for (step, fault, reason) in [
        ("initialize", "error", "it failed in initialize; the server's log tells why"),
        ("initialize", "away", "it failed in initialize: what it needs is away"),
        ("initialize", "panic", "it panicked in initialize; the server's log tells where"),
        ("initialize", "hang", "it took longer than 300 ms in initialize"),
        ("initialize", "block", "it blocked its thread for longer than 300 ms in initialize"),
        ("start", "error", "it failed in start; the server's log tells why"),
        ("start", "panic", "it panicked in start; the server's log tells where"),
        ("start", "hang", "it took longer than 300 ms in start"),
        ("start", "block", "it blocked its thread for longer than 300 ms in start"),
    ] {
        on_both_databases(&faulty(&format!("{step} = '{fault}'")), async |server| {
            let shown = server.get("/extensions/faulty").await.expect(200);
            assert_eq!((&shown["status"], &shown["reason"]), (&json!("failed"), &json!(reason)));
            let others = server.get("/extensions").await.expect(200);
            let statuses = list(&others).iter().filter(|other| other["name"] != "faulty");
            assert!(statuses.into_iter().all(|other| other["status"] == "running"), "{others}");
            let told = server.get("/notifications").await.expect(200);
            assert_eq!(each(&told, "extension"), [&json!("faulty")]);
            assert!(contains(&told[0]["message"], reason), "{told}");
            let ready = at_root(&server, "/readyz").await.expect(200);
            assert_eq!(ready, json!({"ready": true, "without": [{"extension": "faulty", "reason": reason}]}));
        });
    }
}

#[test]
fn what_has_failed_is_not_called_and_work_that_needs_it_is_refused() {
    on_both_databases(&faulty("initialize = 'away'"), async |server| {
        let answer = server.get("/faulty/calls").await;
        assert!(answer.header("retry-after").is_some());
        let problem = answer.expect(503);
        assert_eq!(problem["extension"], "faulty");
        assert!(contains(&problem["detail"], "what it needs is away"), "{problem}");
        // Its hook would refuse it.
        let node = node_named(&server, 1, "on_node_create: veto").await;

        let release = json!({"name": "r", "version": "1", "extensions": ["faulty"]});
        let release = server.post("/releases", release).await.expect(201)["id"].clone();
        let cluster = server.post("/clusters", json!({"name": "c", "release": release})).await.expect(201);
        let (id, path) = (&cluster["id"], format!("/clusters/{}", cluster["id"]));
        assign(&server, id, &[node], &[]).await;
        for work in ["provision", "deploy", "changes"] {
            let problem = server.request(Method::PUT, &format!("{path}/{work}"), None).await.expect(409);
            assert!(contains(&problem["detail"], "faulty enabled for cluster 'c', but failed"), "{problem}");
        }
        server.delete(&format!("{path}/extensions?extension_names=faulty")).await.expect(204);
        let problem = server.put(&format!("{path}/extensions"), json!(["faulty"])).await.expect(409);
        assert!(contains(&problem["detail"], "faulty cannot be enabled"), "{problem}");
        server.request(Method::PUT, &format!("{path}/provision"), None).await.expect(202);
    });
}

#[test]
fn background_work_that_fails_is_begun_again_and_shown() {
    for fault in ["error", "panic"] {
        on_both_databases(&faulty(&format!("work = '{fault}'")), async |server| {
            let is_again =
                |shown: &Value| shown["background"][0]["restarts"] == 1 && shown["background"][0]["state"] == "running";
            let shown = server.wait_for("/extensions/faulty", is_again).await;
            assert_eq!(shown["background"][0]["name"], "faulty work");
            assert!(contains(&shown["background"][0]["last_error"], "its background work `faulty work`"), "{shown}");
            assert!(!shown.to_string().contains("secret"), "{shown}");
            assert_eq!(shown["status"], "degraded");
            assert!(contains(&shown["reason"], "faulty work"), "{shown}");
            server.get("/faulty/calls").await.expect(200);
        });
    }
}

#[test]
fn background_work_that_ends_well_is_finished() {
    on_both_databases(&faulty("work = 'short'"), async |server| {
        let is_finished = |shown: &Value| shown["background"][0]["state"] == "finished";
        let shown = server.wait_for("/extensions/faulty", is_finished).await;
        assert_eq!((&shown["status"], &shown["background"][0]["restarts"]), (&json!("running"), &json!(0)));
    });
}

#[test]
fn background_work_ends_before_its_extension_is_closed_be_it_by_force() {
    for (work, steps) in
        [("endless", &["initialize", "start", "work ends", "close"][..]), ("deaf", &["initialize", "start", "close"])]
    {
        with_diary(&format!("work = '{work}'"), &async |server, diary| {
            server.stop().await;
            assert_eq!(steps::read(diary), steps);
        });
    }
}

#[test]
fn a_close_that_fails_or_never_ends_keeps_no_server_from_stopping() {
    for fault in ["error", "panic", "hang", "block"] {
        with_diary(&format!("close = '{fault}'"), &async |server, diary| {
            server.stop().await;
            assert_eq!(steps::read(diary), ["initialize", "start", "close"]);
        });
    }
}

#[test]
fn what_was_not_initialized_is_not_closed_and_what_was_is_though_its_start_failed() {
    with_diary("initialize = 'error'", &async |server, diary| {
        server.stop().await;
        assert_eq!(steps::read(diary), ["initialize"]);
    });
    with_diary("start = 'error'\nwork = 'endless'", &async |server, diary| {
        server.stop().await;
        assert_eq!(steps::read(diary), ["initialize", "start", "work ends", "close"]);
    });
}

#[test]
fn who_requires_another_is_initialized_after_it_and_closed_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let diary = dir.path().join("diary");
    let settings = format!("[extensions.hall]\ndiary = {diary:?}\n[extensions.usher]\ndiary = {diary:?}");
    on_both_databases(&settings, async |server| {
        server.stop().await;
        assert_eq!(steps::read(&diary), ["hall initializes", "usher initializes", "usher closes", "hall closes"]);
        std::fs::remove_file(&diary).expect("it is there");
    });
}

#[test]
fn a_server_that_stops_is_not_ready_any_more() {
    on_both_databases("", async |server| {
        let address = server.listen().await;
        assert_eq!(at_root(&server, "/readyz").await.expect(200), json!({"ready": true, "without": []}));
        server.post("/nodes", json!({"mac": mac(1)})).await.expect(201);
        server.stop().await;
        until("nobody listens", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    });
}

/// Runs a test on a server whose `faulty` keeps a diary.
fn with_diary(lines: &str, test: &impl AsyncFn(TestServer, &Path)) {
    let dir = tempfile::tempdir().expect("a directory");
    let diary = dir.path().join("diary");
    on_both_databases(&faulty(&format!("diary = {diary:?}\n{lines}")), async |server| {
        test(server, &diary).await;
        std::fs::remove_file(&diary).expect("it is there");
    });
}
