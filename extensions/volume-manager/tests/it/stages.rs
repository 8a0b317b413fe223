//! What the stages put into the data.

use crate::common::{assign, cluster, meta, node, read, shared};
use rivetgun::{
    prelude::{Value, json},
    testkit::{TestServer, on_both_databases, skip},
};

async fn defaults(server: &TestServer, cluster: &Value, kind: &str, query: &str) -> Value {
    server.get(&format!("/clusters/{cluster}/orchestrator/{kind}/defaults{query}")).await.expect(200)
}

#[test]
fn the_provisioning_data_of_nodes_are_those_of_nailgun_to_the_byte() {
    let Some(file) = shared("nailgun/GET_provisioning_defaults.json") else {
        return skip("../shared/data/nailgun", "the folder is not there");
    };
    let expected: Value = serde_json::from_str(&read(&file)).expect("JSON");
    on_both_databases("", async |server| {
        let cluster = cluster(&server, json!({})).await;
        for (role, expected) in
            ["controller", "compute", "compute", "cinder"].iter().zip(expected["nodes"].as_array().expect("nodes"))
        {
            let expected = &expected["ks_meta"]["pm_data"]["ks_spaces"];
            let mut meta = meta(&[102_400]);
            meta["disks"][0]["disk"] = expected[0]["id"].clone();
            let id = node(&server, role, &[]).await;
            server.put("/nodes/agent", json!({"id": id, "meta": meta})).await.expect(200);
            assign(&server, &cluster, &id, &[role]).await;
            let data = defaults(&server, &cluster, "provisioning", "").await;
            assert_eq!(&data["nodes"][id.to_string()]["ks_meta"]["pm_data"]["ks_spaces"], expected, "{role}");
            let data = defaults(&server, &cluster, "deployment", "").await;
            assert_eq!(&data["nodes"][id.to_string()]["node_volumes"], expected, "{role}");
        }
    });
}

#[test]
fn what_people_put_beside_the_volumes_stays_and_a_node_without_disks_keeps_its_own() {
    on_both_databases("", async |server| {
        let cluster = cluster(&server, json!({})).await;
        let with = node(&server, "with", &[102_400]).await;
        let without = node(&server, "without", &[]).await;
        let own = json!({"attributes": {
            "node_volumes": ["mine"], "glance": {"user": "g"}, "provision": {"ks_meta": {"a": 1, "pm_data": {"b": 2, "ks_spaces": []}}},
        }});
        for node in [&with, &without] {
            server.put(&format!("/nodes/{node}"), own.clone()).await.expect(200);
            assign(&server, &cluster, node, &["controller"]).await;
        }
        let provisioning = defaults(&server, &cluster, "provisioning", "").await;
        let ks_meta = &provisioning["nodes"][with.to_string()]["ks_meta"];
        assert_eq!((&ks_meta["a"], &ks_meta["pm_data"]["b"]), (&json!(1), &json!(2)));
        assert_eq!(ks_meta["pm_data"]["ks_spaces"][0]["type"], "disk");
        assert_eq!(provisioning["nodes"][without.to_string()]["ks_meta"], own["attributes"]["provision"]["ks_meta"]);
        let deployment = defaults(&server, &cluster, "deployment", "").await;
        let with = &deployment["nodes"][with.to_string()];
        assert_eq!(with["node_volumes"][0]["type"], "disk");
        assert_eq!(with["glance"], json!({"user": "g", "image_cache_max_size": "5368709120"}));
        let without = &deployment["nodes"][without.to_string()];
        assert_eq!((&without["node_volumes"], &without["glance"]), (&json!(["mine"]), &json!({"user": "g"})));

        let bad = json!({"attributes": {"provision": {"ks_meta": "text"}}});
        server.put("/nodes/1", bad).await.expect(200);
        let path = format!("/clusters/{cluster}/orchestrator/provisioning/defaults");
        let problem = server.get(&path).await;
        assert!(problem.text().contains("`ks_meta` must be an object"), "{}", problem.text());
    });
}

#[test]
fn placement_groups_are_counted_over_all_nodes_whichever_are_chosen() {
    on_both_databases("", async |server| {
        let cluster = cluster(&server, json!({})).await;
        let controller = node(&server, "controller", &[204_800]).await;
        assign(&server, &cluster, &controller, &["controller"]).await;
        let groups = async |storage: Value| {
            server.put(&format!("/clusters/{cluster}/attributes"), json!({"storage": storage})).await.expect(200);
            let data = defaults(&server, &cluster, "deployment", &format!("?nodes={controller}")).await;
            data["common"]["storage"]["pg_num"].clone()
        };
        assert_eq!(groups(json!({"osd_pool_size": "2"})).await, 128);
        // As in Nailgun's tests, a node has three disks for OSDs.
        for expected in [256, 512, 512] {
            let osd = node(&server, "osd", &[61_440, 204_800, 204_800, 204_800]).await;
            assign(&server, &cluster, &osd, &["ceph-osd"]).await;
            assert_eq!(groups(json!({"osd_pool_size": "2"})).await, expected);
            if expected == 256 {
                assert_eq!(groups(json!({"osd_pool_size": 4})).await, 128);
            }
        }
        let all = json!({"osd_pool_size": 2, "volumes_ceph": true, "objects_ceph": true, "ephemeral_ceph": true, "images_ceph": true});
        assert_eq!(groups(all).await, 64);
        assert_eq!(groups(json!({"other": 1})).await, Value::Null, "nothing says how many replicas there are");
        for nonsense in [json!(0), json!("x"), json!(-1), json!(1.5), json!([])] {
            let storage = json!({"storage": {"osd_pool_size": nonsense}});
            server.put(&format!("/clusters/{cluster}/attributes"), storage).await.expect(200);
            let answer = server.get(&format!("/clusters/{cluster}/orchestrator/deployment/defaults")).await;
            let told = answer.expect(422)["detail"].to_string();
            assert!(told.contains("`storage.osd_pool_size`"), "{told}");
        }
    });
}
