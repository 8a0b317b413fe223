//! A server with a root for overlays, and a cluster in it that has some.

use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A server, and the root of its overlays.
pub(crate) struct Site {
    pub(crate) server: TestServer,
    root: PathBuf,
}

/// Runs a test on both databases, each time with an empty root; `settings` are more of the extension's section.
pub(crate) fn with_site(settings: &str, test: impl AsyncFn(Site)) {
    let root = TempDir::new().expect("a temporary directory");
    std::fs::create_dir(root.path().join("root")).expect("a root");
    let path = root.path().display();
    let settings = format!("[extensions.config_overlay]\nroot = '{path}/root'\n{settings}");
    on_both_databases(&settings, async |server| {
        let site = Site { server, root: root.path().join("root") };
        test(site).await;
        // The server of the next database begins with an empty one.
        drop(tokio::fs::remove_dir_all(root.path().join("root")).await);
        tokio::fs::create_dir(root.path().join("root")).await.expect("a root");
    });
}

impl Site {
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file below the root.
    pub(crate) async fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        tokio::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).await.expect("a directory");
        tokio::fs::write(path, text).await.expect("a file");
    }

    /// A cluster `north` that enables the extension, with the node `node-1`, a controller, and `node-2`, which computes and
    /// stores.
    pub(crate) async fn cluster(&self, attributes: Value) -> Value {
        let wanted = json!({"name": "north", "attributes": attributes});
        let cluster = self.server.post("/clusters", wanted).await.expect(201)["id"].clone();
        let mut nodes = Vec::new();
        for (mac, roles) in
            [("02:00:00:00:00:01", json!(["controller"])), ("02:00:00:00:00:02", json!(["storage", "compute"]))]
        {
            nodes.push(json!({"id": self.server.discover(mac).await["id"], "roles": roles}));
        }
        self.server.post(&format!("/clusters/{cluster}/assignment"), json!(nodes)).await.expect(200);
        self.server.put(&format!("/clusters/{cluster}/extensions"), json!(["config_overlay"])).await.expect(200);
        cluster
    }

    /// Lays the directory `sites` over the data of a cluster; the repo.
    pub(crate) async fn overlay(&self, cluster: &Value, git_ref: Option<&str>) -> Value {
        tokio::fs::create_dir_all(self.path("sites")).await.expect("a directory");
        let repo = json!({"repo_name": "sites", "env_id": cluster, "path": "sites", "ref": git_ref});
        self.server.post("/config_overlay/repos", repo).await.expect(201)
    }

    /// The deployment data, as they would be sent.
    pub(crate) async fn data(&self, cluster: &Value) -> Value {
        self.server.get(&format!("/clusters/{cluster}/orchestrator/deployment/defaults")).await.expect(200)
    }

    /// What is wrong with files, so that there are no deployment data.
    pub(crate) async fn trouble(&self, cluster: &Value) -> String {
        self.refused(cluster, 422).await
    }

    /// Why there are no deployment data, as an answer of this status.
    pub(crate) async fn refused(&self, cluster: &Value, status: u16) -> String {
        let path = format!("/clusters/{cluster}/orchestrator/deployment/defaults");
        let answer = self.server.get(&path).await;
        assert_eq!(answer.status(), status, "{}", answer.text());
        let detail = answer.json()["detail"].clone();
        let detail = detail.as_str().expect("a text");
        let told = detail.strip_prefix("pipeline Overlay of extension `config_overlay` failed in prepare: ");
        told.unwrap_or_else(|| panic!("{detail}")).to_owned()
    }
}
