//! No path on which a node is deleted leaves its layout behind.

use crate::{
    buffer::migrate,
    common::{assign, cluster, disks, node, on_both_urls, rows},
};
use rivetgun::{
    prelude::{Value, json},
    testkit::TestServer,
};

#[test]
fn every_way_to_delete_nodes_deletes_their_layouts() {
    on_both_urls(async |url: String| {
        let server = TestServer::start(Some(url.clone()), "").await;
        let mut nodes = Vec::new();
        for name in ["alone", "two", "three", "in a cluster", "forced", "free again", "kept"] {
            nodes.push(node(&server, name, &[102_400]).await);
        }
        assert_eq!(rows(&url).await, [1, 2, 3, 4, 5, 6, 7]);
        server.delete(&format!("/nodes/{}", nodes[0])).await.expect(200);
        assert_eq!(rows(&url).await, [2, 3, 4, 5, 6, 7]);
        server.delete(&format!("/nodes?ids={},{}", nodes[1], nodes[2])).await.expect(200);
        assert_eq!(rows(&url).await, [4, 5, 6, 7]);

        let cluster = cluster(&server, json!({})).await;
        for node in &nodes[3..6] {
            assign(&server, &cluster, node, &["compute"]).await;
        }
        // Something was done to these two: they are removed by work, and by force.
        let path = format!("/clusters/{cluster}");
        let task =
            server.put(&format!("{path}/provision?nodes={},{}", nodes[3], nodes[4]), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        let task = server.delete(&format!("/nodes/{}", nodes[3])).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        assert_eq!(rows(&url).await, [5, 6, 7]);
        server.delete(&format!("{path}?force=true")).await.expect(202);
        assert_eq!(rows(&url).await, [6, 7], "a node that nothing was done to is free again");
        server.stop().await;
    });
}

#[test]
fn a_cluster_that_is_deleted_by_work_takes_the_layouts_of_its_nodes_with_it() {
    on_both_urls(async |url: String| {
        let server = TestServer::start(Some(url.clone()), "").await;
        let node = node(&server, "ada", &[102_400]).await;
        let cluster = cluster(&server, json!({})).await;
        assign(&server, &cluster, &node, &["compute"]).await;
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        let task = server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        assert_eq!(rows(&url).await, Vec::<i64>::new());
        server.stop().await;
    });
}

#[test]
fn an_edit_at_the_moment_of_the_deletion_leaves_nothing_behind() {
    on_both_urls(async |url: String| {
        let server = TestServer::start(Some(url.clone()), "").await;
        let cluster = cluster(&server, json!({})).await;
        for number in 0..20 {
            let node = node(&server, "ada", &[102_400]).await;
            if number % 2 == 0 {
                assign(&server, &cluster, &node, &["compute"]).await;
            }
            let edited = disks(&server, &node).await;
            let path = format!("/nodes/{node}");
            let disks = format!("{path}/disks");
            let (edit, deletion) = tokio::join!(server.put(&disks, edited), server.delete(&path));
            assert!([200, 404, 409].contains(&edit.status()), "{edit:?}");
            deletion.expect(200);
            assert_eq!(rows(&url).await, Vec::<i64>::new(), "{edit:?}");
        }
        server.stop().await;
    });
}

#[test]
fn going_down_takes_the_table_and_up_again_every_node_has_its_layout() {
    on_both_urls(async |url: String| {
        let server = TestServer::start(Some(url.clone()), "").await;
        let node = node(&server, "ada", &[102_400]).await;
        let before = disks(&server, &node).await;
        server.stop().await;
        migrate(&url, &["down", "--extension", "volume_manager", "--steps", "2"]).await;
        migrate(&url, &["up"]).await;
        assert_eq!(rows(&url).await, Vec::<i64>::new());
        let server = TestServer::start(Some(url.clone()), "").await;
        assert_eq!(disks(&server, &node).await, before);
        server.stop().await;
    });
}
