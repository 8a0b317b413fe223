//! What is kept about a cluster goes with it, on every path.

use crate::{
    common::with_site,
    slow_deletion::{GO_ON, HELD, REACHED},
};
use serde_json::{Value, json};

#[test]
fn repo_and_rules_go_with_their_cluster_on_every_path() {
    for (provisioned, query) in [(false, ""), (true, ""), (false, "?force=true"), (true, "?force=true")] {
        with_site("", async |site| {
            let server = &site.server;
            let cluster = site.cluster(json!({})).await;
            let other = server.create_cluster("other").await["id"].clone();
            let mut rules = Vec::new();
            for (name, cluster) in [("sites", &cluster), ("others", &other)] {
                let repo = json!({"repo_name": name, "env_id": cluster, "path": "sites"});
                server.post("/config_overlay/repos", repo).await.expect(201);
                let path = format!("/clusters/{cluster}/config_overlay/whitelist");
                let rule = server.post(&path, json!({"rule": "/ntp"})).await.expect(201);
                rules.push(format!("{path}/{}", rule["id"]));
            }
            if provisioned {
                let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
                assert_eq!(server.ended(&task).await["status"], "ready");
            }
            let task = server.delete(&format!("/clusters/{cluster}{query}")).await.expect(202);
            assert_eq!(server.ended(&task).await["status"], "ready");
            let left = server.get("/config_overlay/repos").await.expect(200);
            assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
            assert_eq!(left[0]["env_id"], other);
            server.get(&rules[0]).await.expect(404);
            server.get(&rules[1]).await.expect(200);
        });
    }
}

#[test]
fn a_cluster_that_is_deleted_at_the_same_time_leaves_nothing_behind() {
    with_site("", async |site| {
        let server = &site.server;
        let cluster = server.create_cluster(HELD).await["id"].clone();
        let repo = json!({"repo_name": "sites", "env_id": cluster, "path": "sites"});
        let whitelist = format!("/clusters/{cluster}/config_overlay/whitelist");
        let write = async {
            REACHED.notified().await;
            let written = tokio::join!(
                server.post("/config_overlay/repos", repo),
                server.post(&whitelist, json!({"rule": "/ntp"}))
            );
            GO_ON.notify_one();
            written
        };
        let path = format!("/clusters/{cluster}?force=true");
        let (deleted, (repo, rule)) = tokio::join!(server.delete(&path), write);
        server.ended(&deleted.expect(202)).await;
        assert_eq!(repo.expect(400)["errors"][0]["detail"], "Invalid cluster ID");
        rule.expect(404);
        assert_eq!(server.get("/config_overlay/repos").await.expect(200), json!([]));
    });
}

#[test]
fn disabling_keeps_what_is_said_for_the_next_time() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.write("sites/global.yaml", "ntp: overlay\n").await;
        site.overlay(&cluster, None).await;
        let path = format!("/clusters/{cluster}/extensions");
        site.server.delete(&format!("{path}?extension_names=config_overlay")).await.expect(204);
        assert_eq!(site.data(&cluster).await["common"].get("ntp"), None);
        site.server.put(&path, json!(["config_overlay"])).await.expect(200);
        assert_eq!(site.data(&cluster).await["common"]["ntp"], "overlay");
    });
}
