//! What is wrong with files is told with file and line, before anything is sent.

use crate::{
    common::{Site, with_site},
    git::{commit, git},
};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use tokio::process::Command;

#[test]
fn bad_yaml_names_file_and_line_and_stops_the_task_before_anything_is_sent() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.overlay(&cluster, None).await;
        let task = site.server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        assert_eq!(site.server.ended(&task).await["status"], "ready");

        site.write("sites/roles/compute.yaml", "kvm:\n  cpu: host\n  nested: [true\n").await;
        let task = site.server.put(&format!("/clusters/{cluster}/deploy"), Value::Null).await.expect(202);
        let task = site.server.ended(&task).await;
        assert_eq!((&task["status"], &task["extension"]), (&json!("error"), &json!("config_overlay")), "{task}");
        let message = task["message"].as_str().expect("a text");
        assert!(
            message.contains("the overlay roles/compute.yaml: unclosed bracket '[' at line 3, column 11"),
            "{message}"
        );
        let nodes = site.server.get("/nodes").await.expect(200);
        for node in nodes.as_array().expect("a list") {
            assert_eq!((&node["status"], &node["roles"]), (&json!("provisioned"), &json!([])), "{node}");
        }
        site.server.get(&format!("/tasks/{}/deployment_info", task["id"])).await.expect(404);
    });
}

#[test]
fn what_cannot_be_an_overlay_is_told() {
    with_site("max_file_bytes = 64", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.overlay(&cluster, None).await;
        for (text, told) in [
            (
                b"a: 1\nb: 2\na: 3\n".as_slice(),
                "the overlay global.yaml: duplicate mapping key: a not allowed here at line 3, column 1",
            ),
            (b"a: 1\n b: 2\n", "the overlay global.yaml: "),
            (b"- a\n", "the overlay global.yaml: it must be a mapping of keys to values"),
            (b"a: \xff\n", "the overlay global.yaml is not a text in UTF-8"),
            (&[b'#'; 65], "the overlay global.yaml is larger than 64 bytes, the `max_file_bytes` of the settings"),
        ] {
            site.write("sites/global.yaml", text).await;
            let trouble = site.trouble(&cluster).await;
            assert!(trouble.starts_with(told), "{trouble}");
            assert!(!trouble.contains(&site.path("").display().to_string()), "{trouble}");
        }
    });
}

#[test]
fn all_files_of_a_cluster_together_are_as_large_as_they_may_be_and_no_larger() {
    with_site("max_total_bytes = 100", async |site| {
        let cluster = site.cluster(json!({})).await;
        let repo = site.overlay(&cluster, None).await;
        site.write("sites/global.yaml", [b'#'; 60]).await;
        site.write("sites/roles/compute.yaml", [b'#'; 40]).await;
        site.data(&cluster).await;
        site.write("sites/roles/compute.yaml", [b'#'; 41]).await;
        let told = "the overlays of the cluster, up to roles/compute.yaml, are larger than 100 bytes, the \
                    `max_total_bytes` of the settings";
        assert_eq!(site.trouble(&cluster).await, told);
        git(&site, &["init", "--quiet"]).await;
        commit(&site).await;
        let wanted = json!({"repo_name": "sites", "env_id": cluster, "path": "sites", "ref": "HEAD"});
        site.server.put(&format!("/config_overlay/repos/{}", repo["id"]), wanted).await.expect(200);
        assert_eq!(site.trouble(&cluster).await, told);
    });
}

#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    with_site("read_timeout = 20", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.overlay(&cluster, None).await;
        site.write("sites/global.yaml/x", "").await;
        assert_eq!(site.trouble(&cluster).await, "the overlay global.yaml is not a regular file");
        tokio::fs::remove_dir_all(site.path("sites/global.yaml")).await.expect("it is there");
        run(Command::new("mkfifo").arg(site.path("sites/global.yaml"))).await;
        assert_eq!(site.trouble(&cluster).await, "the overlay global.yaml is not a regular file");
    });
}

#[test]
fn links_may_lead_anywhere_below_the_root_and_nowhere_else() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.write("shared/ntp.yaml", "ntp: shared\n").await;
        site.write("../secret.yaml", "password: x\n").await;
        site.overlay(&cluster, None).await;
        link(&site, "../shared/ntp.yaml", "sites/global.yaml").await;
        assert_eq!(site.data(&cluster).await["common"]["ntp"], "shared");

        link(&site, "../../../secret.yaml", "sites/clusters/north.yaml").await;
        let told =
            "the overlay clusters/north.yaml is a link that leads out of the `root` of [extensions.config_overlay]";
        assert_eq!(site.trouble(&cluster).await, told);

        tokio::fs::remove_dir_all(site.path("sites")).await.expect("it is there");
        link(&site, "../", "sites").await;
        let told = "the overlay directory `sites` leads out of the `root` of [extensions.config_overlay]";
        assert_eq!(site.trouble(&cluster).await, told);
    });
}

#[test]
fn a_directory_or_a_root_that_is_missing_is_an_error_that_says_what_to_do() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.overlay(&cluster, None).await;
        tokio::fs::remove_dir(site.path("sites")).await.expect("it is there");
        let trouble = site.refused(&cluster, 503).await;
        assert!(trouble.starts_with("the overlay directory `sites` cannot be read (No such file"), "{trouble}");
        assert!(
            trouble.contains("make it below the `root` of [extensions.config_overlay], or change the path"),
            "{trouble}"
        );
        site.write("sites", "a file").await;
        assert_eq!(site.trouble(&cluster).await, "the overlay directory `sites` is not a directory");
        tokio::fs::remove_dir_all(site.path("")).await.expect("it is there");
        let trouble = site.refused(&cluster, 503).await;
        assert!(
            trouble.starts_with("the `root` of [extensions.config_overlay] cannot be read (No such file"),
            "{trouble}"
        );
    });
}

#[test]
fn whoever_says_where_overlays_lie_is_told_what_the_root_lacks() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        let repo = json!({"repo_name": "sites", "env_id": cluster, "path": "sites"});
        tokio::fs::remove_dir_all(site.path("")).await.expect("it is there");
        let problem = site.server.post("/config_overlay/repos", repo.clone()).await.expect(400);
        let detail = problem["detail"].as_str().expect("a text");
        assert!(
            detail.contains("cannot be read (No such file") && detail.contains("make it, or set another"),
            "{detail}"
        );
    });
    on_both_databases("", async |server| {
        let cluster = server.create_cluster("north").await["id"].clone();
        let repo = json!({"repo_name": "sites", "env_id": cluster, "path": "sites"});
        let problem = server.post("/config_overlay/repos", repo).await.expect(400);
        let told = "no `root` is set: write it below [extensions.config_overlay] in the settings file";
        assert_eq!(problem["detail"], told);
    });
}

#[test]
fn a_root_that_cannot_be_one_keeps_the_server_from_starting() {
    for (root, told) in [
        ("overlays", "is not an absolute path: write it from `/` on"),
        ("/dev/null", "is not a directory: make it one, or set another"),
        ("/nowhere/at/all", "cannot be read (No such file or directory (os error 2)): make it, or set another"),
    ] {
        let refused = std::panic::catch_unwind(|| {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(TestServer::start(None, &format!("[extensions.config_overlay]\nroot = '{root}'")))
        });
        let panic = refused.err().expect("it does not start");
        let message = panic.downcast_ref::<String>().expect("a text");
        assert!(message.contains(told), "{message}");
    }
}

#[test]
fn names_that_are_no_names_of_files_have_no_overlays() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.write("secret.yaml", "leaked: true\n").await;
        site.overlay(&cluster, None).await;
        // The last one is too long for the name of a file.
        for role in ["../../secret", "..", ".secret", "a\nb", &"x".repeat(251)] {
            let roles = json!([{"id": 1, "roles": [role]}]);
            site.server.post(&format!("/clusters/{cluster}/assignment"), roles).await.expect(200);
            assert!(!site.data(&cluster).await.to_string().contains("leaked"));
        }
    });
}

async fn link(site: &Site, target: &str, path: &str) {
    let path = site.path(path);
    tokio::fs::create_dir_all(path.parent().expect("a parent")).await.expect("a directory");
    tokio::fs::symlink(target, path).await.expect("a link");
}

pub(crate) async fn run(command: &mut Command) {
    let status = command.status().await.expect("it is installed");
    assert!(status.success(), "{command:?}");
}
