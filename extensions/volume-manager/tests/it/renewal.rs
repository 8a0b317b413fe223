//! Layouts follow disks, roles and membership; those that a person edited stay.

use crate::common::{assign, cluster, disks, execute, lines, list, meta, node, on_both_urls, told};
use rivetgun::{
    prelude::{Value, json},
    testkit::{TestServer, on_both_databases},
};

#[test]
fn a_layout_follows_the_disks_and_the_roles_of_its_node() {
    on_both_databases("", async |server| {
        let node = node(&server, "ada", &[102_400]).await;
        assert_eq!(lines(&server, &node).await, ["sda 101900: "], "no cluster, no volumes");
        let cluster = cluster(&server, json!({})).await;
        assign(&server, &cluster, &node, &[]).await;
        assert_eq!(lines(&server, &node).await, ["sda 101836: os 101836"], "no role: the system has all");
        assign(&server, &cluster, &node, &["primary-controller"]).await;
        let controller = ["sda 101580: os 28672, logs 10240, mysql 20480, horizon 11264, image 30924"];
        assert_eq!(lines(&server, &node).await, controller);
        server
            .patch(&format!("/clusters/{cluster}/attributes"), json!({"storage": {"images_ceph": true}}))
            .await
            .expect(200);
        assert_eq!(lines(&server, &node).await, ["sda 101644: os 28672, logs 10240, mysql 20480, horizon 11264"]);
        server.put(&format!("/nodes/{node}"), json!({"pending_roles": ["compute"]})).await.expect(200);
        assert_eq!(lines(&server, &node).await, ["sda 101772: os 28672, vm 73100"]);
        server.put("/nodes/agent", json!({"id": node, "meta": meta(&[102_400, 51_200])})).await.expect(200);
        assert_eq!(lines(&server, &node).await, ["sda 101772: os 28672, vm 73100", "sdb 50572: vm 50572"]);
        server.post(&format!("/clusters/{cluster}/unassignment"), json!([{"id": node}])).await.expect(200);
        assert_eq!(lines(&server, &node).await, ["sda 101900: ", "sdb 50700: "]);
        assert_eq!(told(&server).await, Vec::<String>::new());
    });
}

#[test]
fn a_layout_that_a_person_edited_stays_until_it_is_the_default_again() {
    on_both_databases("", async |server| {
        let node = node(&server, "ada", &[102_400]).await;
        let cluster = cluster(&server, json!({})).await;
        assign(&server, &cluster, &node, &["compute"]).await;
        let path = format!("/nodes/{node}");
        let mut edited = disks(&server, &node).await;
        edited[0]["volumes"][1]["size"] = 5120.into();
        server.put(&format!("{path}/disks"), edited.clone()).await.expect(200);
        let kept = "warning: The volumes of node 'ada' stay as they were edited, though its disks or roles changed";

        server.put(&path, json!({"name": "ada", "labels": {"rack": "7"}})).await.expect(200);
        assert_eq!(told(&server).await, Vec::<String>::new(), "neither disks nor roles changed");
        server.put(&path, json!({"pending_roles": ["cinder"]})).await.expect(200);
        assert_eq!(disks(&server, &node).await, edited);
        assert_eq!(told(&server).await, [kept]);
        // What was pending becomes what it is, which is the same.
        server.put(&path, json!({"roles": ["cinder"], "pending_roles": []})).await.expect(200);
        assert_eq!(told(&server).await, [kept]);

        let defaults = server.get(&format!("{path}/disks/defaults")).await.expect(200);
        assert_eq!(defaults[0]["volumes"][1]["name"], "cinder");
        server.put(&format!("{path}/disks"), defaults.clone()).await.expect(200);
        assert_eq!(disks(&server, &node).await, defaults);
        server.put(&path, json!({"roles": ["compute"]})).await.expect(200);
        assert_eq!(lines(&server, &node).await, ["sda 101772: os 28672, vm 73100"]);
        assert_eq!(told(&server).await, [kept]);
    });
}

#[test]
fn a_node_is_created_though_its_disks_make_no_sense() {
    on_both_databases("", async |server| {
        let garbage = json!({"disks": [{"name": "sda", "size": "big"}, 7]});
        let wanted = json!({"mac": "02:00:00:00:00:01", "name": "ada", "meta": garbage});
        let node = server.post("/nodes", wanted).await.expect(201)["id"].clone();
        assert_eq!(
            told(&server).await,
            [
                "error: Failed to generate volumes for node 'ada': 'meta.disks[0].size is \"big\", and not a number of bytes; \
              meta.disks[1] has neither `disk` nor `name`'"
            ]
        );
        server.get(&format!("/nodes/{node}/disks")).await.expect(400);
        server.put("/nodes/agent", json!({"id": node, "meta": meta(&[10_240])})).await.expect(200);
        assert_eq!(lines(&server, &node).await, ["sda 9740: "]);
        server.put("/nodes/agent", json!({"id": node, "meta": {"disks": [{"size": -1}]}})).await.expect(200);
        assert_eq!(lines(&server, &node).await, ["sda 9740: "], "the last one that made sense");
        assert_eq!(told(&server).await.len(), 2);
    });
}

#[test]
fn a_node_is_created_though_its_layout_cannot_be_written() {
    on_both_urls(async |url: String| {
        let server = TestServer::start(Some(url.clone()), "").await;
        execute(&url, "ALTER TABLE volume_manager_node_volumes RENAME TO volume_manager_away").await;
        let node = node(&server, "ada", &[102_400]).await;
        assert_eq!(
            told(&server).await,
            ["error: Failed to generate volumes for node 'ada': 'it failed; the server's log tells why'"]
        );
        execute(&url, "ALTER TABLE volume_manager_away RENAME TO volume_manager_node_volumes").await;
        assert_eq!(lines(&server, &node).await, ["sda 101900: "], "a node without a row has the default");
        server.stop().await;
    });
}

#[test]
fn work_is_refused_where_an_edited_layout_uses_a_disk_that_is_smaller_now_or_gone() {
    on_both_databases("", async |server| {
        let cluster = cluster(&server, json!({})).await;
        let node = node(&server, "ada", &[102_400, 102_400]).await;
        assign(&server, &cluster, &node, &["compute"]).await;
        let path = format!("/nodes/{node}/disks");
        let mut edited = disks(&server, &node).await;
        edited[0]["volumes"][1]["size"] = 6000.into();
        edited[1]["bootable"] = true.into();
        edited[0]["bootable"] = false.into();
        server.put(&path, edited).await.expect(200);
        for sizes in [&[102_400, 51_200][..], &[102_400]] {
            server.put("/nodes/agent", json!({"id": node, "meta": meta(sizes)})).await.expect(200);
            let problem = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(409);
            assert_eq!(problem["detail"], "Node 'ada' has insufficient disk space", "{sizes:?}");
        }

        server.put("/nodes/agent", json!({"id": node, "meta": meta(&[102_400, 51_200])})).await.expect(200);
        let partial = json!([{"id": "disk/by-path/sda", "size": 101_772, "volumes": []}]);
        let problem = server.put(&path, partial.clone()).await.expect(400);
        let told = json!([{"pointer": "", "detail": "Not enough free space on disk: disk/by-path/sdb"}]);
        assert_eq!(problem["errors"], told, "a disk that nobody names has to hold its volumes too");
        server.put("/nodes/agent", json!({"id": node, "meta": meta(&[102_400])})).await.expect(200);
        assert_eq!(server.put(&path, partial).await.expect(200)[0]["bootable"], true);
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
    });
}

#[test]
fn a_node_that_is_being_worked_on_keeps_its_layout() {
    let settings = "[orchestrators.local]\nprovision = 'cat >/dev/null; exec sleep 60'";
    on_both_databases(settings, async |server| {
        let cluster = cluster(&server, json!({})).await;
        let [busy, idle] = [node(&server, "busy", &[102_400]).await, node(&server, "idle", &[102_400]).await];
        for node in [&busy, &idle] {
            assign(&server, &cluster, node, &["controller"]).await;
        }
        server.put(&format!("/clusters/{cluster}/provision?nodes={busy}"), Value::Null).await.expect(202);
        server.wait_for(&format!("/nodes/{busy}"), |node| node["status"] == "provisioning").await;
        let before = disks(&server, &busy).await;
        let attributes = json!({"storage": {"images_ceph": true}});
        server.patch(&format!("/clusters/{cluster}/attributes"), attributes).await.expect(200);
        server.put("/nodes/agent", json!({"id": busy, "meta": meta(&[51_200])})).await.expect(200);
        assert_eq!(disks(&server, &busy).await, before);
        let changed = ["sda 101644: os 28672, logs 10240, mysql 20480, horizon 11264"];
        assert_eq!(lines(&server, &idle).await, changed);

        let edited = disks(&server, &idle).await;
        let problem = server.put(&format!("/nodes/{idle}/disks"), edited).await.expect(409);
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.starts_with("task ") && detail.ends_with("wait until it has ended"), "{detail}");
        assert_eq!(told(&server).await, Vec::<String>::new());
        server.stop().await;
    });
}

#[test]
fn on_ubuntu_the_default_layout_is_one_that_can_be_put() {
    on_both_databases("", async |server| {
        let ubuntu = json!({"name": "xenial", "version": "1", "operating_system": "Ubuntu"});
        let release = server.post("/releases", ubuntu).await.expect(201)["id"].clone();
        let cluster = cluster(&server, json!({})).await;
        let node = node(&server, "ada", &[20_480, 102_400]).await;
        assign(&server, &cluster, &node, &["compute"]).await;
        let split = disks(&server, &node).await;
        server.put(&format!("/clusters/{cluster}"), json!({"release": release})).await.expect(200);
        let path = format!("/clusters/{cluster}/provision");
        let problem = server.put(&path, Value::Null).await.expect(409);
        assert_eq!(problem["detail"], "Base system of node 'ada' should be allocated on one disk only");
        server.put(&format!("/nodes/{node}/disks"), split).await.expect(400);
        let defaults = server.get(&format!("/nodes/{node}/disks/defaults")).await.expect(200);
        assert_eq!(server.put(&format!("/nodes/{node}/disks"), defaults.clone()).await.expect(200), defaults);
        let task = server.put(&path, Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
    });
}

#[test]
fn work_is_refused_for_all_nodes_together_whose_disks_do_not_suffice() {
    on_both_databases("", async |server| {
        let cluster = cluster(&server, json!({})).await;
        for (name, sizes, roles) in [
            ("large", &[204_800][..], &["controller"][..]),
            ("small", &[10_240], &["compute"]),
            ("bare", &[], &["compute"]),
            ("edited", &[102_400], &["compute"]),
        ] {
            let node = node(&server, name, sizes).await;
            assign(&server, &cluster, &node, roles).await;
        }
        let edited = list(&server.get("/nodes").await.expect(200))[3]["id"].clone();
        let wanted = json!([{"id": "disk/by-path/sda", "size": 101_772, "volumes": [{"name": "vm", "size": 5119}]}]);
        server.put(&format!("/nodes/{edited}/disks"), wanted).await.expect(200);
        let path = format!("/clusters/{cluster}/provision");
        let problem = server.put(&path, Value::Null).await.expect(409);
        let lines = ["small", "bare", "edited"].map(|name| format!("Node '{name}' has insufficient disk space"));
        assert_eq!(problem["detail"], lines.join("\n"));
        assert_eq!(problem["extension"], "volume_manager");

        let large = list(&server.get("/nodes").await.expect(200))[0]["id"].clone();
        let task = server.put(&format!("{path}?nodes={large}"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
        // What is on the disks already needs no check, whatever the agent says now.
        server.put(&format!("/nodes/{large}"), json!({"pending_roles": ["ceph-osd", "mongo"]})).await.expect(200);
        let task = server.put(&format!("/clusters/{cluster}/deploy?nodes={large}"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&task).await["status"], "ready");
    });
}
