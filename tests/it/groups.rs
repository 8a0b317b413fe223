//! Node groups: every cluster has a default one, and a node of a cluster is in one of its groups.

use crate::common::{assign, cluster_with_nodes, contains, each, everything, list, mac};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};

#[test]
fn a_cluster_has_a_default_group_which_nodes_join_with_it_and_leave_with_it() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        let groups = server.get(&format!("/nodegroups?cluster_id={cluster}")).await.expect(200);
        let default = &groups[0];
        assert_eq!(
            *default,
            json!({"id": default["id"], "cluster_id": cluster, "name": "default", "is_default": true})
        );
        assert_eq!(list(&groups).len(), 1);
        assert_eq!(each(&server.get("/nodes").await.expect(200), "group_id"), [&default["id"], &default["id"]]);

        server.post(&format!("/clusters/{cluster}/unassignment"), json!([{"id": nodes[0]}])).await.expect(200);
        assert_eq!(server.get(&format!("/nodes/{}", nodes[0])).await.expect(200)["group_id"], Value::Null);
    });
}

#[test]
fn a_group_is_made_renamed_and_deleted_and_its_nodes_go_back_to_the_default_one() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        let default = server.get("/nodegroups").await.expect(200)[0]["id"].clone();
        let rack = server.post("/nodegroups", json!({"cluster_id": cluster, "name": "rack"})).await.expect(201);
        assert_eq!(rack, json!({"id": rack["id"], "cluster_id": cluster, "name": "rack", "is_default": false}));
        let path = format!("/nodegroups/{}", rack["id"]);
        assert_eq!(server.get(&path).await.expect(200), rack);
        assert_eq!(server.put(&path, json!({"name": "rack 7"})).await.expect(200)["name"], "rack 7");
        assert_eq!(server.put(&path, json!({})).await.expect(200)["name"], "rack 7");

        let node = format!("/nodes/{}", nodes[0]);
        assert_eq!(server.put(&node, json!({"group_id": rack["id"]})).await.expect(200)["group_id"], rack["id"]);
        assert_eq!(server.put(&node, json!({"group_id": null})).await.expect(200)["group_id"], default);
        server.put("/nodes", json!([{"id": nodes[0], "group_id": rack["id"]}])).await.expect(200);
        assign(&server, &cluster, &nodes, &["a"]).await;
        assert_eq!(server.get(&node).await.expect(200)["group_id"], rack["id"], "an assignment leaves it there");

        server.delete(&path).await.expect(204);
        server.get(&path).await.expect(404);
        assert_eq!(each(&server.get("/nodes").await.expect(200), "group_id"), [&default, &default]);
    });
}

#[test]
fn what_is_wrong_with_a_group_is_told_and_nothing_is_written() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let other = server.create_cluster("other").await["id"].clone();
        server.post("/nodegroups", json!({"cluster_id": cluster, "name": "rack"})).await.expect(201);
        let elsewhere = server.post("/nodegroups", json!({"cluster_id": other, "name": "rack"})).await.expect(201);
        let free = server.discover(&mac(9)).await["id"].clone();
        let before = everything(&server).await;

        let taken = server.post("/nodegroups", json!({"cluster_id": cluster, "name": "rack"})).await.expect(403);
        assert_eq!(taken["detail"], "node group 'rack' already exists in cluster 'c'");
        for (body, status) in [
            (json!({"cluster_id": 999, "name": "x"}), 404),
            (json!({"cluster_id": cluster, "name": " "}), 400),
            (json!({"cluster_id": cluster, "name": "x".repeat(51)}), 400),
            (json!({"cluster_id": cluster}), 400),
            (json!({"cluster_id": cluster, "name": "x", "is_default": true}), 400),
        ] {
            server.post("/nodegroups", body).await.expect(status);
        }
        let default = format!("/nodegroups/{}", default_of(&server, &cluster).await);
        assert!(contains(&server.delete(&default).await.expect(400)["detail"], "stays as long as the cluster does"));
        server.put(&default, json!({"name": "rack"})).await.expect(403);
        server.delete("/nodegroups/999").await.expect(404);
        server.put("/nodegroups/999", json!({"name": "x"})).await.expect(404);
        for (node, group) in [(&nodes[0], &elsewhere["id"]), (&nodes[0], &json!(999)), (&free, &elsewhere["id"])] {
            let problem = server.put(&format!("/nodes/{node}"), json!({"group_id": group})).await.expect(400);
            assert_eq!(problem["errors"][0]["pointer"], "/group_id", "{problem}");
        }
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn the_groups_of_a_cluster_go_with_it() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        server.post("/nodegroups", json!({"cluster_id": cluster, "name": "rack"})).await.expect(201);
        server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        assert_eq!(server.get("/nodegroups").await.expect(200), json!([]));
    });
}

async fn default_of(server: &TestServer, cluster: &Value) -> Value {
    server.get(&format!("/nodegroups?cluster_id={cluster}")).await.expect(200)[0]["id"].clone()
}
