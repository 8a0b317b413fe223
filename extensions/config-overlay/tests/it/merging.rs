//! What overlays make of the deployment data.

use crate::common::{Site, with_site};
use rivetgun::prelude::{Object, merge};
use serde_json::{Value, json};

#[test]
fn overlays_are_laid_over_each_other_in_the_order_global_cluster_role_node() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({"ntp": {"servers": ["10.0.0.1"], "drift": true}, "debug": false})).await;
        site.write("sites/global.yaml", "ntp: {servers: [global], burst: 4}\nlevel: global\nzone: global\n").await;
        site.write("sites/clusters/north.yaml", "ntp: {burst: 8}\nlevel: cluster\nof_cluster: true\n").await;
        site.write("sites/clusters/south.yaml", "level: another cluster\n").await;
        site.write("sites/roles/compute.yaml", "level: compute\nkvm: {cpu: host}\n").await;
        site.write("sites/roles/storage.yaml", "level: storage\nkvm: {nested: true}\n").await;
        site.write("sites/nodes/node-1.internal.yaml", "level: node\nntp: {servers: [node]}\n").await;
        site.overlay(&cluster, None).await;
        let (split, merged) = (site.data(&cluster).await, merged(&site, &cluster).await);
        // PostgreSQL keeps the attributes in an order of its own.
        insta::with_settings!({sort_maps => true}, {
            insta::assert_json_snapshot!("split", split);
            insta::assert_json_snapshot!("merged", merged);
        });
    });
}

#[test]
fn an_overlay_for_all_nodes_wins_over_what_nodes_have_for_themselves() {
    for (common, own, overlay, result) in [
        (json!(null), json!(1), json!(2), json!(2)),
        (json!(1), json!({"x": 1}), json!(2), json!(2)),
        (json!({"a": 1}), json!({"x": 1, "y": 1}), json!({"x": 2, "z": 2}), json!({"a": 1, "x": 2, "y": 1, "z": 2})),
        (
            json!({"a": {"b": 1}}),
            json!({"a": {"b": 2, "c": 2}}),
            json!({"a": {"b": 3}}),
            json!({"a": {"b": 3, "c": 2}}),
        ),
        (json!([1]), json!([2, 3]), json!([4]), json!([4])),
        (json!(1), json!({"x": 1, "y": 1}), json!({"x": 2}), json!({"x": 2, "y": 1})),
        (json!(1), json!(2), json!(null), json!(null)),
        (json!(1), json!(2), json!({"x": 2}), json!({"x": 2})),
    ] {
        with_site("", async |site| {
            let cluster = site.cluster(json!({"key": common})).await;
            site.server.put("/nodes/1", json!({"attributes": {"key": own}})).await.expect(200);
            site.write("sites/global.yaml", json!({"key": overlay}).to_string()).await;
            site.overlay(&cluster, None).await;
            assert_eq!(merged(&site, &cluster).await["1"]["key"], result, "{overlay} over {own} over {common}");
        });
    }
}

#[test]
fn what_a_person_typed_in_place_of_generated_data_wins_over_overlays() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.write("sites/global.yaml", "ntp: overlay\ndns: overlay\n").await;
        site.overlay(&cluster, None).await;
        let path = format!("/clusters/{cluster}/orchestrator/deployment");
        site.server.put(&path, json!({"common": {"ntp": "person"}})).await.expect(200);
        let task = site.server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        assert_eq!(site.server.ended(&task).await["status"], "ready");
        let task = site.server.put(&format!("/clusters/{cluster}/deploy"), Value::Null).await.expect(202);
        assert_eq!(site.server.ended(&task).await["status"], "ready");
        let sent = site.server.get(&format!("/tasks/{}/deployment_info", task["id"])).await.expect(200).to_string();
        assert!(sent.contains(r#""ntp":"person""#) && sent.contains(r#""dns":"overlay""#), "{sent}");
    });
}

#[test]
fn a_node_that_alone_enables_the_extension_gets_all_overlays_and_no_other_does() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({"ntp": {"drift": true}})).await;
        let path = format!("/clusters/{cluster}/extensions?extension_names=config_overlay");
        site.server.delete(&path).await.expect(204);
        site.server.put("/nodes/2", json!({"extensions": ["config_overlay"]})).await.expect(200);
        site.write("sites/global.yaml", "ntp: {burst: 4}\n").await;
        site.write("sites/roles/compute.yaml", "kvm: host\n").await;
        site.write("sites/nodes/node-1.internal.yaml", "kvm: never\n").await;
        site.overlay(&cluster, None).await;
        let merged = merged(&site, &cluster).await;
        assert_eq!((&merged["1"]["ntp"], &merged["1"]["kvm"]), (&json!({"drift": true}), &Value::Null));
        assert_eq!((&merged["2"]["ntp"], &merged["2"]["kvm"]), (&json!({"drift": true, "burst": 4}), &json!("host")));
    });
}

#[test]
fn a_cluster_without_a_repo_and_one_without_files_have_their_data_as_they_are() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({"ntp": 1})).await;
        let before = site.data(&cluster).await;
        site.overlay(&cluster, None).await;
        assert_eq!(site.data(&cluster).await, before);
        site.write("sites/global.yaml", "# nothing yet\n").await;
        assert_eq!(site.data(&cluster).await, before);
    });
}

#[test]
fn provisioning_has_nothing_to_do_with_overlays_not_even_with_bad_ones() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({"provision": {"image": "noble"}})).await;
        site.write("sites/global.yaml", "a: [\n").await;
        site.overlay(&cluster, None).await;
        let path = format!("/clusters/{cluster}/orchestrator/provisioning/defaults");
        assert_eq!(site.server.get(&path).await.expect(200)["common"]["image"], "noble");
    });
}

/// The data as the nodes get them, by the ids of the nodes.
async fn merged(site: &Site, cluster: &Value) -> Value {
    let data = site.data(cluster).await;
    let object = |value: &Value| value.as_object().expect("an object").clone();
    let whole = |(id, own): (&String, &Value)| {
        let mut document: Object = object(&data["common"]);
        merge(&mut document, object(own));
        (id.clone(), Value::Object(document))
    };
    Value::Object(object(&data["nodes"]).iter().map(whole).collect())
}
