//! The settings choose which of the linked extensions are active, and which the server must not start without.

use crate::{
    common::{cluster_with_nodes, contains, each, enable},
    process::{Finished, Serving, database_of, run},
};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use std::path::Path;

fn with_settings(dir: &Path, settings: &str, arguments: &[&str]) -> Finished {
    std::fs::write(dir.join("settings.toml"), settings).expect("a file");
    run(dir, &[&["--config", "settings.toml"], arguments].concat())
}

#[test]
fn what_is_not_active_is_not_there_and_may_have_settings_all_the_same() {
    let settings =
        "[extensions]\nactive = ['probe', 'hall', 'usher']\nrequired = ['probe']\n[extensions.faulty]\nx = 1";
    on_both_databases(settings, async |server| {
        let listed = server.get("/extensions").await.expect(200);
        assert_eq!(each(&listed, "name"), ["hall", "probe", "usher"]);
        assert_eq!(each(&listed, "required"), [false, true, false]);
        server.get("/faulty/calls").await.expect(404);
        // A hook of `faulty` would refuse it.
        server.post("/nodes", json!({"mac": "02:00:00:00:00:01", "name": "on_node_create: error"})).await.expect(201);
        let cluster = server.create_cluster("c").await["id"].clone();
        let problem = server.put(&format!("/clusters/{cluster}/extensions"), json!(["faulty"])).await.expect(400);
        assert_eq!(problem["detail"], "no such extensions: faulty");
    });
}

#[test]
fn what_was_enabled_and_is_not_active_any_more_is_missing_and_refuses_work() {
    let dir = tempfile::tempdir().expect("a directory");
    run(dir.path(), &["migrate", "up"]).expect(0);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = runtime.block_on(async {
        let server =
            TestServer::start(Some(database_of(dir.path())), "[extensions]\nactive = ['additional_logger']").await;
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        enable(&server, &cluster, &["additional_logger"]).await;
        server.stop().await;
        cluster
    });
    let settings = "[extensions]\nactive = ['webhook_orchestrator']\n";
    std::fs::write(dir.path().join("settings.toml"), settings).expect("a file");
    let serving = Serving::start(dir.path(), &["--config", "settings.toml"]);
    let shown = serving.request("GET", "/extensions/additional_logger", &Value::Null, 200);
    assert_eq!((&shown["status"], &shown["enabled_by"]), (&json!("missing"), &json!([cluster])));
    assert!(contains(&shown["reason"], "not active"), "{shown}");
    let problem = serving.request("PUT", &format!("/clusters/{cluster}/provision"), &Value::Null, 409);
    assert!(contains(&problem["detail"], "additional_logger enabled for cluster 'c', but not active"), "{problem}");
    serving.terminate();

    // What it has in the database is its own still, and nobody's to purge.
    let status = with_settings(dir.path(), settings, &["migrate", "status"]).expect(0).stdout;
    assert!(!status.contains("additional_logger"), "{status}");
    with_settings(dir.path(), settings, &["migrate", "purge", "--extension", "additional_logger", "--yes"])
        .expect(1)
        .tells(&["is in this build"]);
    with_settings(dir.path(), settings, &["migrate", "up", "--extension", "additional_logger"])
        .expect(1)
        .tells(&["`additional_logger` is not active", "`active`"]);
    let listed = with_settings(dir.path(), settings, &["extensions", "list"]).expect(0).stdout;
    let row = |name: &str| listed.lines().find(|line| line.starts_with(name)).expect("it is listed").to_owned();
    assert!(row("additional_logger").contains(" inactive "), "{listed}");
    assert!(row("webhook_orchestrator").contains(" active "), "{listed}");
}

#[test]
fn names_that_do_not_exist_and_contradictions_are_told_with_all_else_that_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = "[extensions]\nactive = ['webhook_orchestrator', 'nonsense']\nrequired = ['additional_logger', 'trash']\n\
        [extensions.rubbish]\na = 1\n";
    let finished = with_settings(dir.path(), settings, &["serve"]).expect(1);
    finished.tells(&["4 problems", "RG0105", "rubbish", "settings.toml"]);
    finished.tells(&["RG0113", "`extensions.active`", "`nonsense`", "`extensions.required`", "`trash`"]);
    finished.tells(&["there are additional_logger, amqp_orchestrator, "]);
    finished.tells(&["RG0115", "`additional_logger` is not active"]);
    for (settings, line) in [("[extensions]\nactive = 'x'\n", "line 2"), ("[extensions]\n\nnonsense = 1\n", "line 3")] {
        with_settings(dir.path(), settings, &["serve"]).expect(1).tells(&["settings.toml", line]);
    }
}

#[test]
#[should_panic(expected = "RG0114: `usher`")]
fn who_refers_to_what_is_not_active_cannot_be_loaded() {
    on_both_databases("[extensions]\nactive = ['usher']", async |_| {});
}

#[test]
#[should_panic(
    expected = "RG0116: the settings, section [extensions.faulty]: `faulty` does not accept it: the faulty extension"
)]
fn settings_that_an_extension_does_not_accept_keep_the_server_from_starting() {
    on_both_databases("[extensions.faulty]\nvalidate = 'invalid'", async |_| {});
}
