//! Real deployment documents, imported: the layouts that follow from their disks and roles are those that they hold.

use crate::common::{disks, files_of, list, on_both_urls, read, shared};
use rivetgun::{
    prelude::{Value, json},
    testkit::{TestServer, command_line, skip},
};
use std::path::{Path, PathBuf};

#[test]
fn the_volumes_of_a_small_cloud_are_those_of_its_documents_and_add_up_to_its_disks() {
    volumes_come_back("neut_vlan.ceph-", 3);
}

#[test]
fn the_volumes_of_a_larger_cloud_are_those_of_its_documents_and_add_up_to_its_disks() {
    volumes_come_back("neut_tun.ceph.murano.sahara.ceil-", 6);
}

fn volumes_come_back(prefix: &'static str, count: usize) {
    let Some(folder) = shared("deployments") else {
        return skip("../shared/data/deployments", "the folder is not there");
    };
    let files = files_of(&folder, prefix);
    assert_eq!(files.len(), count);
    on_both_urls(|url: String| {
        let files = files.clone();
        async move {
            import(&url, &files).await;
            let server = TestServer::start(Some(url), "").await;
            server.put("/clusters/1/extensions", json!(["volume_manager"])).await.expect(200);
            let data = server.get("/clusters/1/orchestrator/deployment/defaults?merged=true").await.expect(200);
            let nodes = server.get("/nodes").await.expect(200);
            for ((file, found), node) in files.iter().zip(list(&data)).zip(list(&nodes)) {
                let document = parse(file);
                assert_eq!(found["node_volumes"], document["node_volumes"], "{}", file.display());
                for (disk, simple) in list(&found["node_volumes"]).iter().zip(list(&disks(&server, &node["id"]).await))
                {
                    let sum =
                        |of: &Value| list(&of["volumes"]).iter().filter_map(|part| part["size"].as_u64()).sum::<u64>();
                    let free = simple["size"].as_u64().expect("a size") - sum(simple);
                    assert_eq!(sum(disk) + free, disk["size"].as_u64().expect("a size"), "{}", file.display());
                }
                let others = document.as_object().expect("an object").iter().filter(|(key, _)| *key != "storage");
                assert!(others.clone().all(|(key, value)| found[key] == *value), "what is not its own stays");
            }
            let task = server.put("/clusters/1/provision", Value::Null).await.expect(202);
            assert_eq!(server.ended(&task).await["status"], "ready", "the disks suffice");
            server.stop().await;
        }
    });
}

async fn import(url: &str, files: &[PathBuf]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let state = dir.path().display().to_string();
    let fixed = ["rivetgun", "--state-dir", &state, "--database-url", url, "import", "--cluster", "ceph"];
    let files = files.iter().map(|file| file.display().to_string());
    let all: Vec<String> = fixed.into_iter().map(str::to_owned).chain(files).collect();
    let command = move || command_line(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let code = tokio::task::spawn_blocking(command).await.expect("the command runs");
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
}

fn parse(path: &Path) -> Value {
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(&read(path), options).expect("the file is YAML")
}
