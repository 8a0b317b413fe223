//! The URLs: what they show, what they take, and what they refuse.

use crate::common::{assign, cluster, disks, lines, list, node, read, shared};
use rivetgun::{
    prelude::{Value, json},
    testkit::{TestServer, on_both_databases, skip},
};

/// A cluster with a controller that has one disk of 100 GiB; both ids.
async fn controller(server: &TestServer, sizes: &[u64]) -> (Value, Value) {
    let cluster = cluster(server, json!({})).await;
    let node = node(server, "ada", sizes).await;
    assign(server, &cluster, &node, &["controller"]).await;
    (cluster, node)
}

#[test]
fn the_layout_of_a_controller_is_that_of_nailgun_to_the_byte() {
    let Some(file) = shared("nailgun/GET_node_disks.json") else {
        return skip("../shared/data/nailgun", "the folder is not there");
    };
    let expected: Value = serde_json::from_str(&read(&file)).expect("JSON");
    on_both_databases("", async |server| {
        let (_, node) = controller(&server, &[102_400]).await;
        let found = disks(&server, &node).await;
        assert_eq!(server.get(&format!("/nodes/{node}/disks/defaults/")).await.expect(200), found);
        let mut expected = expected.clone();
        expected[0]["id"] = "disk/by-path/sda".into();
        assert_eq!(found, expected);
    });
}

#[test]
fn the_volumes_of_a_node_are_shown_in_a_cluster_only() {
    on_both_databases("", async |server| {
        let free = node(&server, "free", &[102_400]).await;
        let problem = server.get(&format!("/nodes/{free}/volumes")).await.expect(404);
        assert_eq!(problem["detail"], "Cannot calculate volumes info. Please, add node to an environment.");
        let (_, node) = controller(&server, &[102_400]).await;
        let volumes = server.get(&format!("/nodes/{node}/volumes")).await.expect(200);
        assert_eq!(volumes[0], json!({"name": "os", "label": "Base System", "min_size": 28672}));
        let names: Vec<&Value> = list(&volumes).iter().map(|volume| &volume["name"]).collect();
        assert_eq!(names, ["os", "logs", "image", "mysql", "horizon"]);
        for path in ["disks", "disks/defaults", "volumes"] {
            let problem = server.get(&format!("/nodes/99/{path}")).await.expect(404);
            assert_eq!(problem["detail"], "node 99 does not exist");
        }
        server.put("/nodes/99/disks", json!([])).await.expect(404);
    });
}

#[test]
fn an_edit_changes_what_it_names_and_is_a_pending_change_of_the_cluster() {
    on_both_databases("", async |server| {
        let (cluster, node) = controller(&server, &[102_400, 51_200]).await;
        let path = format!("/nodes/{node}/disks");
        let changes = async || server.get(&format!("/clusters/{cluster}")).await.expect(200)["changes"].clone();
        assert_eq!(changes().await, json!(["attributes", "nodes"]));
        let wanted = json!([{"id": "disk/by-path/sdb", "size": 50_380, "bootable": true, "volumes": [
            {"name": "image", "size": 40_000, "keep_data": false}, {"name": "logs", "size": 10_000},
        ]}]);
        let answered = server.put(&path, wanted).await.expect(200);
        assert_eq!(answered, disks(&server, &node).await);
        assert_eq!(
            lines(&server, &node).await,
            [
                "sda 101580: os 28672, logs 10240, mysql 20480, horizon 11264, image 30924",
                "sdb 50380: logs 10000, image 40000"
            ]
        );
        let bootable: Vec<&Value> = list(&answered).iter().map(|disk| &disk["bootable"]).collect();
        assert_eq!(bootable, [false, true]);
        assert_eq!(changes().await, json!(["attributes", "nodes", "disks"]));
        server.put(&path, answered.clone()).await.expect(200);
        assert_eq!(changes().await, json!(["attributes", "nodes", "disks"]));

        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        let task = server.put(&format!("/clusters/{cluster}/deploy"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        assert_eq!(changes().await, json!([]));
        assert_eq!(disks(&server, &node).await, answered, "work changes no layout");

        let free = crate::common::node(&server, "free", &[102_400]).await;
        server
            .put(&format!("/nodes/{free}/disks"), json!([{"id": "disk/by-path/sda", "size": 0, "volumes": []}]))
            .await
            .expect(200);
        assert_eq!(changes().await, json!([]));
    });
}

#[test]
fn what_makes_no_sense_is_told_all_at_once_with_its_places_and_changes_nothing() {
    on_both_databases("", async |server| {
        let ubuntu = json!({"name": "xenial", "version": "1", "operating_system": "Ubuntu"});
        let release = server.post("/releases", ubuntu).await.expect(201)["id"].clone();
        let (cluster, node) = controller(&server, &[102_400, 51_200]).await;
        server.put(&format!("/clusters/{cluster}"), json!({"release": release})).await.expect(200);
        let path = format!("/nodes/{node}/disks");
        let before = disks(&server, &node).await;
        let disk = |name: &str, volumes: Value| json!({"id": format!("disk/by-path/{name}"), "size": 50_380, "volumes": volumes});
        let volume = |name: &str, size: u64| json!({"name": name, "size": size});
        let bootable = |mut disk: Value| {
            disk["bootable"] = true.into();
            disk
        };
        let kept = json!([{"name": "image", "size": 1, "keep_data": true}]);
        for (wanted, mistakes) in [
            (json!([]), &[("", "Node seems not to have disks")][..]),
            (
                json!([disk("sdb", json!([volume("image", 50_381)]))]),
                &[("/0/volumes", "Not enough free space on disk: disk/by-path/sdb")],
            ),
            (
                json!([disk("sdb", json!([volume("image", u64::MAX), volume("logs", u64::MAX)]))]),
                &[("/0/volumes", "Not enough free space on disk: disk/by-path/sdb")],
            ),
            (
                json!([bootable(disk("sda", json!([]))), bootable(disk("sdb", json!([])))]),
                &[(
                    "",
                    "Disks disk/by-path/sda, disk/by-path/sdb can not be selected as bootable at the same time. \
                          Only one disk should be selected as bootable.",
                )],
            ),
            (
                json!([disk("sdb", json!([volume("image", 0), volume("os", 1)]))]),
                &[("", "Base system should be allocated on one disk only")],
            ),
            (
                json!([disk("sdb", kept)]),
                &[(
                    "",
                    "All volumes with the same name should have the same value for `keep_data` flag, incorrect volumes: image",
                )],
            ),
            (
                json!([
                    disk("sdx", json!([])),
                    disk("sdb", json!([volume("vm", 1), volume("logs", 1), volume("logs", 2)])),
                    disk("sdb", json!([]))
                ]),
                &[
                    ("/0/id", "the node has no disk 'disk/by-path/sdx'"),
                    ("/1/volumes/0/name", "no role of the node wants the volume 'vm'"),
                    ("/1/volumes/2/name", "the volume 'logs' is named twice"),
                    ("/1/volumes", "Not enough free space on disk: disk/by-path/sdb"),
                    ("/2/id", "the disk 'disk/by-path/sdb' is named twice"),
                ],
            ),
        ] {
            let problem = server.put(&path, wanted.clone()).await.expect(400);
            let found: Vec<(&str, &str)> = list(&problem["errors"])
                .iter()
                .map(|error| (error["pointer"].as_str().unwrap_or("?"), error["detail"].as_str().unwrap_or("?")))
                .collect();
            assert_eq!(found, mistakes, "{wanted}");
            assert_eq!(problem["extension"], "volume_manager");
        }
        for (wanted, pointer) in [
            (json!([{"id": "a", "size": -1, "volumes": []}]), "/0/size"),
            (json!([{"id": "a", "size": 1, "volumes": [{"name": "os", "size": 1.5}]}]), "/0/volumes/0/size"),
            (json!([{"id": "a", "size": 1}]), "/0"),
            (json!([{"id": "a", "size": 1, "volumes": [], "colour": 1}]), "/0/colour"),
        ] {
            let problem = server.put(&path, wanted).await.expect(400);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        assert_eq!(disks(&server, &node).await, before);
        assert_eq!(
            server.get(&format!("/clusters/{cluster}")).await.expect(200)["changes"],
            json!(["attributes", "nodes"])
        );
    });
}

#[test]
fn disks_that_are_being_worked_on_are_not_edited() {
    let settings = "[orchestrators.local]\nprovision = 'cat >/dev/null; exec sleep 60'";
    on_both_databases(settings, async |server| {
        let (cluster, node) = controller(&server, &[102_400]).await;
        server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        server.wait_for(&format!("/nodes/{node}"), |node| node["status"] == "provisioning").await;
        let edited = disks(&server, &node).await;
        let problem = server.put(&format!("/nodes/{node}/disks"), edited).await.expect(409);
        let detail = format!("node {node} is provisioning; its disks can be changed when that has ended");
        assert_eq!(problem["detail"], detail);
        server.stop().await;
    });
}
