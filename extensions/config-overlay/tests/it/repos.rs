//! Where overlays lie is told over HTTP.

use crate::common::with_site;
use serde_json::{Value, json};

#[test]
fn a_repo_is_made_read_changed_and_forgotten() {
    with_site("", async |site| {
        let server = &site.server;
        let cluster = server.create_cluster("one").await["id"].clone();
        let repo = json!({"repo_name": "sites", "env_id": cluster, "path": "sites/north"});
        let made = server.post("/config_overlay/repos", repo).await.expect(201);
        let expected =
            json!({"id": made["id"], "repo_name": "sites", "env_id": cluster, "path": "sites/north", "ref": null});
        assert_eq!(made, expected);

        let path = format!("/config_overlay/repos/{}", made["id"]);
        let wanted = json!({"repo_name": "sites", "env_id": cluster, "path": "sites", "ref": "origin/main"});
        let changed = server.put(&path, wanted).await.expect(200);
        assert_eq!((&changed["path"], &changed["ref"]), (&json!("sites"), &json!("origin/main")));
        assert_eq!(server.get(&path).await.expect(200), changed);
        assert_eq!(server.get("/config_overlay/repos").await.expect(200), json!([changed]));

        server.delete(&path).await.expect(204);
        for answer in [server.get(&path).await, server.delete(&path).await] {
            assert_eq!(answer.expect(404)["detail"], format!("repo {} does not exist", made["id"]));
        }
    });
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    with_site("", async |site| {
        let server = &site.server;
        let cluster = server.create_cluster("one").await["id"].clone();
        let wrong = json!({"repo_name": " ", "env_id": cluster, "path": "../etc", "ref": "--upload-pack=x"});
        let problem = server.post("/config_overlay/repos", wrong).await.expect(400);
        insta::assert_json_snapshot!("mistakes", problem["errors"]);

        for path in ["", "/etc", "a/../..", ".", "a\nb"] {
            let problem =
                server.post("/config_overlay/repos", json!({"repo_name": "a", "env_id": cluster, "path": path})).await;
            assert_eq!(pointers(&problem.expect(400)), ["/path"], "{path:?}");
        }
        for git_ref in ["", "-x", "ext::sh -c x", "main:global.yaml", "main~1", "a..b", "@{u}", "a b", "a\nb"] {
            let wanted = json!({"repo_name": "a", "env_id": cluster, "path": "a", "ref": git_ref});
            let problem = server.post("/config_overlay/repos", wanted).await;
            assert_eq!(pointers(&problem.expect(400)), ["/ref"], "{git_ref:?}");
        }
        let problem = server.post("/config_overlay/repos", json!({"repo_name": "a", "env_id": 77, "path": "a"})).await;
        assert_eq!(problem.expect(400)["errors"], json!([{"pointer": "/env_id", "detail": "Invalid cluster ID"}]));
        server.post("/config_overlay/repos", json!({"repo_name": "a", "path": "a"})).await.expect(400);
        server
            .post("/config_overlay/repos", json!({"repo_name": "a", "env_id": 1, "path": "a", "x": 1}))
            .await
            .expect(400);
        assert_eq!(server.get("/config_overlay/repos").await.expect(200), json!([]));
    });
}

#[test]
fn a_cluster_has_one_repo_and_a_repo_one_name_and_one_cluster() {
    with_site("", async |site| {
        let server = &site.server;
        let (one, two) =
            (server.create_cluster("one").await["id"].clone(), server.create_cluster("two").await["id"].clone());
        let repo = |name: &str, cluster: &Value| json!({"repo_name": name, "env_id": cluster, "path": "sites"});
        let made = server.post("/config_overlay/repos", repo("a", &one)).await.expect(201);
        let path = format!("/config_overlay/repos/{}", made["id"]);

        let problem = server.post("/config_overlay/repos", repo("b", &one)).await.expect(409);
        let told = format!("cluster {one} has the repo 'a' already: change that (PUT {path})");
        assert_eq!(problem["detail"], told);
        let problem = server.post("/config_overlay/repos", repo("a", &two)).await.expect(409);
        let told = format!("repo {} is called 'a' already: choose another name", made["id"]);
        assert_eq!(problem["detail"], told);

        server.post("/config_overlay/repos", repo("b", &two)).await.expect(201);
        server.put(&path, repo("b", &one)).await.expect(409);
        server.put(&path, repo("a", &one)).await.expect(200);
        let problem = server.put(&path, repo("a", &two)).await.expect(400);
        let told = json!([{"pointer": "/env_id", "detail": "Changing 'env_id' for git repo is prohibited"}]);
        assert_eq!(problem["errors"], told);
    });
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().expect("a list").iter().filter_map(|error| error["pointer"].as_str()).collect()
}
