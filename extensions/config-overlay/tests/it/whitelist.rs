//! What overlays may change.

use crate::common::with_site;
use serde_json::{Value, json};

#[test]
fn a_rule_is_made_read_changed_and_taken_back() {
    with_site("", async |site| {
        let server = &site.server;
        let cluster = server.create_cluster("one").await["id"].clone();
        let other = server.create_cluster("two").await["id"].clone();
        let path = format!("/clusters/{cluster}/config_overlay/whitelist");
        let made = server.post(&path, json!({"rule": "/ntp"})).await.expect(201);
        assert_eq!(made, json!({"id": made["id"], "env_id": cluster, "rule": "/ntp"}));
        let one = format!("{path}/{}", made["id"]);
        let changed = server.put(&one, json!({"rule": "/storage/*/size"})).await.expect(200);
        assert_eq!(server.get(&path).await.expect(200), json!([changed]));
        assert_eq!(server.get(&one).await.expect(200)["rule"], "/storage/*/size");
        assert_eq!(server.get(&format!("/clusters/{other}/config_overlay/whitelist")).await.expect(200), json!([]));

        let of_other = format!("/clusters/{other}/config_overlay/whitelist/{}", made["id"]);
        let told = format!("cluster {other} has no rule {}", made["id"]);
        for answer in [
            server.get(&of_other).await,
            server.delete(&of_other).await,
            server.put(&of_other, json!({"rule": "/a"})).await,
        ] {
            assert_eq!(answer.expect(404)["detail"], told);
        }
        server.delete(&one).await.expect(204);
        server.delete(&one).await.expect(404);
    });
}

#[test]
fn what_is_no_rule_is_refused() {
    with_site("", async |site| {
        let server = &site.server;
        let cluster = server.create_cluster("one").await["id"].clone();
        let path = format!("/clusters/{cluster}/config_overlay/whitelist");
        for rule in ["", "ntp", "/a~"] {
            let problem = server.post(&path, json!({"rule": rule})).await.expect(400);
            assert_eq!(problem["errors"][0]["pointer"], "/rule", "{rule}");
        }
        let made = server.post(&path, json!({"rule": "/ntp"})).await.expect(201);
        let problem = server.post(&path, json!({"rule": "/ntp"})).await.expect(409);
        assert_eq!(problem["detail"], format!("rule {} of cluster {cluster} is '/ntp' already", made["id"]));
        server.put(&format!("{path}/{}", made["id"]), json!({"rule": "/ntp"})).await.expect(200);
        for answer in [
            server.get("/clusters/77/config_overlay/whitelist").await,
            server.post("/clusters/77/config_overlay/whitelist", json!({"rule": "/ntp"})).await,
        ] {
            assert_eq!(answer.expect(404)["detail"], "cluster 77 does not exist");
        }
    });
}

#[test]
fn an_overlay_that_goes_beyond_the_whitelist_stops_the_task_with_file_key_and_rules() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.write("sites/global.yaml", "ntp: {servers: [a]}\nstorage: {pools: {a: {size: 1}}}\n").await;
        site.write("sites/roles/compute.yaml", "storage: {pools: {b: {kind: x}}}\nkvm: host\n").await;
        site.overlay(&cluster, None).await;
        assert_eq!(site.data(&cluster).await["common"]["ntp"]["servers"], json!(["a"]), "without rules all is allowed");

        let path = format!("/clusters/{cluster}/config_overlay/whitelist");
        for rule in ["/ntp/servers", "/storage/pools/*/size"] {
            site.server.post(&path, json!({"rule": rule})).await.expect(201);
        }
        let task = site.server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        assert_eq!(site.server.ended(&task).await["status"], "ready");
        let task = site.server.put(&format!("/clusters/{cluster}/deploy"), Value::Null).await.expect(202);
        let task = site.server.ended(&task).await;
        let told = "overlays change what they may not: roles/compute.yaml changes /storage/pools/b/kind, /kvm; the whitelist \
                    of the cluster allows /ntp/servers, /storage/pools/*/size";
        assert!(task["message"].as_str().is_some_and(|message| message.ends_with(told)), "{task}");

        for rule in ["/storage", "/kvm"] {
            site.server.post(&path, json!({"rule": rule})).await.expect(201);
        }
        assert_eq!(site.data(&cluster).await["nodes"]["2"]["kvm"], "host");
    });
}

#[test]
fn which_node_or_cluster_it_is_no_overlay_changes() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.write("sites/global.yaml", "cluster: {id: 7}\n").await;
        site.write("sites/nodes/node-1.internal.yaml", "fqdn: other\nroles: []\nuser: x\n").await;
        site.overlay(&cluster, None).await;
        let told = "overlays change what they may not: global.yaml changes /cluster; nodes/node-1.internal.yaml changes /fqdn, \
                    /roles; without a whitelist that is all but /cluster, /uid, /name, /hostname, /fqdn, /mac, /ip, /roles";
        assert_eq!(site.trouble(&cluster).await, told);
    });
}
