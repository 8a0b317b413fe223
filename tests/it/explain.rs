//! How the outgoing data came to be: stage by stage, and who is to blame for a value.

use crate::{
    common::{cluster_with_nodes, enable, everything},
    process::run,
};
use rivetgun::testkit::on_both_databases;
use serde_json::{Value, json};

#[test]
fn each_stage_shows_its_patch_and_each_value_who_set_it_last() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        enable(&server, &cluster, &["additional_logger", "probe", "bystander"]).await;
        let path = format!("/clusters/{cluster}/orchestrator/deployment");
        let before = everything(&server).await;
        let explained = server.get(&format!("{path}/explain?nodes={}", nodes[0])).await.expect(200);
        let stages: Vec<String> = explained["stages"].as_array().expect("stages").iter().map(place).collect();
        let own = nodes[0].to_string();
        let expected = [
            "additional_logger/TimeStarted common",
            "probe/Mark common",
            &format!("probe/Mark {own}"),
            "probe/Second common",
            &format!("probe/Second {own}"),
            "bystander/TheWitness common",
            &format!("bystander/TheWitness {own}"),
        ];
        assert_eq!(stages, expected);

        // The patches lead from what people set to what is sent.
        let mut common = json!({"cluster": {"id": cluster, "name": "c"}});
        for stage in explained["stages"].as_array().expect("stages").iter().filter(|stage| stage["scope"] == "common") {
            let patch: json_patch::Patch = serde_json::from_value(stage["patch"].clone()).expect("an RFC 6902 patch");
            json_patch::patch(&mut common, &patch).expect("it applies");
        }
        let mut sent = server.get(&format!("{path}/defaults?nodes={own}")).await.expect(200)["common"].clone();
        for changing in ["time_started", "prepared"] {
            sent[changing] = common[changing].clone();
        }
        assert_eq!(common, sent);

        let blame = &explained["blame"];
        assert_eq!(blame["common"]["/time_started"], "additional_logger/TimeStarted");
        assert_eq!(blame["common"]["/trail"], "bystander/TheWitness", "the last of three that set it");
        assert_eq!(blame["common"].get("/cluster"), None, "no stage set it");
        assert_eq!(blame["nodes"][&own]["/own_name"], "probe/Mark");
        assert_eq!(everything(&server).await, before, "a GET writes nothing");
    });
}

#[test]
fn what_cannot_be_explained_is_told_as_for_the_data_themselves() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "process_deployment: error", 1).await;
        enable(&server, &cluster, &["probe"]).await;
        let path = format!("/clusters/{cluster}/orchestrator");
        assert_eq!(server.get(&format!("{path}/deployment/explain")).await.expect(500)["extension"], "probe");
        server.get(&format!("{path}/deployment/explain?nodes=999")).await.expect(400);
        server.get(&format!("{path}/nonsense/explain")).await.expect(404);
        server.get("/clusters/999/orchestrator/deployment/explain").await.expect(404);
    });
}

#[test]
fn the_command_line_explains_a_cluster_by_its_name_or_its_id() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("a.yaml"), "fqdn: a.example.org\nroles: [x]\n").expect("a document");
    run(dir.path(), &["import", "a.yaml", "--cluster", "c"]).expect(0);
    let told = run(dir.path(), &["explain", "c"]).expect(0);
    assert!(told.stdout.contains("no pipeline of an extension that is enabled"), "{}", told.stdout);
    assert_eq!(run(dir.path(), &["explain", "1", "--node", "1"]).expect(0).stdout, told.stdout);
    run(dir.path(), &["explain", "d"]).expect(1).tells(&["there is no cluster with the name or the id 'd'"]);
    run(dir.path(), &["explain", "c", "--node", "9"]).expect(1).tells(&["nodes 9 do not belong to cluster 1"]);
}

/// `extension/pipeline scope`
fn place(stage: &Value) -> String {
    let text = |field: &str| stage[field].as_str().expect("a text").to_owned();
    assert!(stage["micros"].is_u64(), "{stage}");
    format!("{}/{} {}", text("extension"), text("pipeline"), text("scope"))
}
