//! Layouts that waited in the buffer table.

use crate::common::{assign, cluster, disks, execute, lines, node, on_both_urls, rows, told};
use rivetgun::{
    prelude::json,
    testkit::{TestServer, command_line},
};

#[test]
fn layouts_that_waited_are_taken_and_stay_as_they_are() {
    on_both_urls(async |url: String| {
        let server = TestServer::start(Some(url.clone()), "").await;
        let first = node(&server, "ada", &[102_400]).await;
        let second = node(&server, "bob", &[102_400]).await;
        server.stop().await;
        migrate(&url, &["down", "--extension", "volume_manager", "--steps", "2"]).await;
        let parked = json!({"node_id": first, "volumes": [
            {"type": "disk", "id": "disk/by-path/sda", "name": "sda", "size": 102_400, "extra": [], "free_space": 0, "volumes": [
                {"type": "boot", "size": 300}, {"type": "raid", "mount": "/boot", "name": "Boot", "size": 200},
                {"type": "lvm_meta_pool", "size": 0}, {"type": "pv", "vg": "os", "size": 101_900, "lvm_meta_size": 64},
            ]},
            {"type": "vg", "id": "os", "volumes": []},
        ]});
        let superseded = json!({"node_id": first, "volumes": []});
        for row in [
            superseded,
            parked,
            json!({"node_id": "x", "volumes": []}),
            json!(null),
            json!({"node_id": second, "volumes": null}),
        ] {
            let insert = "INSERT INTO extensions_migration_buffer (extension_name, data) VALUES";
            execute(&url, &format!("{insert} ('volume_manager', '{row}')")).await;
        }
        migrate(&url, &["up"]).await;
        assert_eq!(rows(&url).await, [1]);

        let server = TestServer::start(Some(url.clone()), "").await;
        assert_eq!(lines(&server, &first).await, ["sda 101836: os 101836"]);
        assert_eq!(lines(&server, &second).await, ["sda 101900: "]);
        let cluster = cluster(&server, json!({})).await;
        assign(&server, &cluster, &first, &["compute"]).await;
        assert_eq!(lines(&server, &first).await, ["sda 101836: os 101836"]);
        assert_eq!(told(&server).await.len(), 1, "nobody knows whether a person had edited it");
        let defaults = server.get(&format!("/nodes/{first}/disks/defaults")).await.expect(200);
        server.put(&format!("/nodes/{first}/disks"), defaults.clone()).await.expect(200);
        assert_eq!(disks(&server, &first).await, defaults);
        server.stop().await;
    });
}

/// Runs `rivetgun migrate` on a database that no server uses.
pub(crate) async fn migrate(url: &str, arguments: &[&str]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let state = dir.path().display().to_string();
    let fixed = ["rivetgun", "--state-dir", &state, "--database-url", url, "migrate"];
    let all: Vec<String> = fixed.iter().chain(arguments).map(|argument| (*argument).to_owned()).collect();
    let command = move || {
        let code = command_line(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS), "{all:?}");
    };
    tokio::task::spawn_blocking(command).await.expect("the command runs");
}
