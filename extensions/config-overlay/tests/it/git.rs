//! Overlays out of a git working copy, at a ref.

use crate::{
    common::{Site, with_site},
    files::run,
};
use serde_json::{Value, json};
use std::time::Instant;
use tokio::process::Command;

#[test]
fn a_ref_is_read_whatever_is_checked_out() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        git(&site, &["init", "--quiet", "--initial-branch", "main"]).await;
        site.write("sites/global.yaml", "ntp: main\n").await;
        site.write("sites/roles/compute.yaml", "kvm: main\n").await;
        commit(&site).await;
        git(&site, &["tag", "v1"]).await;
        git(&site, &["checkout", "--quiet", "-b", "work"]).await;
        site.write("sites/global.yaml", "ntp: work\n").await;
        commit(&site).await;
        site.write("sites/global.yaml", "ntp: not yet committed\n").await;

        let repo = site.overlay(&cluster, Some("main")).await;
        let data = site.data(&cluster).await;
        assert_eq!((&data["common"]["ntp"], &data["nodes"]["2"]["kvm"]), (&json!("main"), &json!("main")));
        for (git_ref, ntp) in [(json!("v1"), "main"), (json!("work"), "work"), (Value::Null, "not yet committed")] {
            let path = format!("/config_overlay/repos/{}", repo["id"]);
            let wanted = json!({"repo_name": "sites", "env_id": cluster, "path": "sites", "ref": git_ref});
            site.server.put(&path, wanted).await.expect(200);
            assert_eq!(site.data(&cluster).await["common"]["ntp"], ntp);
        }
    });
}

#[test]
fn the_directory_may_be_one_of_a_working_copy_and_so_may_the_root() {
    for copy in [".", "sites"] {
        with_site("", async |site| {
            let cluster = site.cluster(json!({})).await;
            let (directory, path) = if copy == "." { ("sites", "sites") } else { ("sites/north", "sites/north") };
            site.write(&format!("{directory}/global.yaml"), "ntp: deep\n").await;
            git_in(&site, copy, &["init", "--quiet"]).await;
            git_in(&site, copy, &["add", "."]).await;
            git_in(&site, copy, &["commit", "--quiet", "--message", "overlays"]).await;
            let repo = json!({"repo_name": "deep", "env_id": cluster, "path": path, "ref": "HEAD"});
            site.server.post("/config_overlay/repos", repo).await.expect(201);
            assert_eq!(site.data(&cluster).await["common"]["ntp"], "deep");
        });
    }
}

#[test]
fn what_cannot_be_read_at_a_ref_is_told() {
    with_site("max_file_bytes = 64", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.overlay(&cluster, Some("main")).await;
        assert_eq!(
            site.refused(&cluster, 503).await,
            "git cannot read the working copy `sites`; the server's log tells why"
        );
        git(&site, &["init", "--quiet", "--initial-branch", "main"]).await;
        let told = "the working copy `sites` has no ref `main`: fetch it there, or change the ref of the repo";
        assert_eq!(site.trouble(&cluster).await, told);

        site.write("sites/global.yaml", "a: 1\nb: [\n").await;
        commit(&site).await;
        assert!(site.trouble(&cluster).await.starts_with("the overlay global.yaml: unclosed bracket '[' at line 2"));
        site.write("sites/global.yaml", [b'#'; 65]).await;
        commit(&site).await;
        assert!(site.trouble(&cluster).await.starts_with("the overlay global.yaml is larger than 64 bytes"));
        tokio::fs::remove_file(site.path("sites/global.yaml")).await.expect("it is there");
        site.write("sites/global.yaml/x", "").await;
        commit(&site).await;
        assert_eq!(site.trouble(&cluster).await, "the overlay global.yaml is not a regular file");
        tokio::fs::remove_dir_all(site.path("sites/global.yaml")).await.expect("it is there");
        tokio::fs::symlink("../../secret", site.path("sites/global.yaml")).await.expect("a link");
        commit(&site).await;
        let told = "the overlay global.yaml is a link that leads out of the repository";
        assert_eq!(site.trouble(&cluster).await, told);
    });
}

#[test]
fn a_repository_that_came_as_files_of_another_is_not_taken_for_one() {
    with_site("", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.overlay(&cluster, Some("HEAD")).await;
        git(&site, &["init", "--quiet", "--bare"]).await;
        assert_eq!(
            site.refused(&cluster, 503).await,
            "git cannot read the working copy `sites`; the server's log tells why"
        );
    });
}

#[test]
fn a_git_that_hangs_is_given_up_and_killed() {
    with_site("read_timeout = 1\ngit = './hangs'", async |site| {
        let cluster = site.cluster(json!({})).await;
        site.overlay(&cluster, Some("main")).await;
        site.write("sites/hangs", "#!/bin/sh\necho $$ >pid\nexec sleep 600\n").await;
        run(Command::new("chmod").arg("+x").arg(site.path("sites/hangs"))).await;
        let begin = Instant::now();
        let told = site.refused(&cluster, 503).await;
        assert!(told.starts_with("the overlay directory `sites` was not read within 1 s: "), "{told}");
        assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
        let pid = tokio::fs::read_to_string(site.path("sites/pid")).await.expect("it ran");
        let gone = async {
            while Command::new("kill")
                .args(["-0", pid.trim()])
                .output()
                .await
                .expect("it is installed")
                .status
                .success()
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), gone).await.expect("it is killed");
    });
}

pub(crate) async fn commit(site: &Site) {
    git(site, &["add", "--all"]).await;
    git(site, &["commit", "--quiet", "--message", "overlays"]).await;
}

pub(crate) async fn git(site: &Site, arguments: &[&str]) {
    tokio::fs::create_dir_all(site.path("sites")).await.expect("a directory");
    git_in(site, "sites", arguments).await;
}

async fn git_in(site: &Site, directory: &str, arguments: &[&str]) {
    let author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    run(Command::new("git").current_dir(site.path(directory)).args(author).args(arguments)).await;
}
