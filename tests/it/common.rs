//! Small words that several areas share.

use axum::http::Method;
use rivetgun::testkit::{Answer, TestServer};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command, time::Duration};
use tempfile::TempDir;

/// A mac of its own for each number.
pub(crate) fn mac(number: usize) -> String {
    format!("02:00:00:{:02x}:{:02x}:{:02x}", (number >> 16) & 0xff, (number >> 8) & 0xff, number & 0xff)
}

/// Sends a request; a body of `null` is none.
pub(crate) async fn send(server: &TestServer, method: Method, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { None } else { Some(body.to_string()) };
    server.request(method, path, body).await
}

/// A node of this name.
pub(crate) async fn node_named(server: &TestServer, number: usize, name: &str) -> Value {
    server.post("/nodes", json!({"mac": mac(number), "name": name})).await.expect(201)["id"].clone()
}

/// A cluster with nodes in it, which are `1001`, `1002`, … to [`mac`]; the id of the cluster and those of its nodes.
pub(crate) async fn cluster_with_nodes(server: &TestServer, name: &str, count: usize) -> (Value, Vec<Value>) {
    let cluster = server.create_cluster(name).await["id"].clone();
    let known = server.get("/nodes/allocation/stats").await.expect(200)["total"].as_u64().expect("a number");
    let mut nodes = Vec::new();
    for number in 0..count {
        let number = usize::try_from(known).expect("few nodes") + number + 1001;
        nodes.push(server.discover(&mac(number)).await["id"].clone());
    }
    assign(server, &cluster, &nodes, &[]).await;
    (cluster, nodes)
}

/// Puts nodes into a cluster, all with the same roles.
pub(crate) async fn assign(server: &TestServer, cluster: &Value, nodes: &[Value], roles: &[&str]) {
    let wanted: Value = nodes.iter().map(|id| json!({"id": id, "roles": roles})).collect();
    server.post(&format!("/clusters/{cluster}/assignment"), wanted).await.expect(200);
}

/// Enables extensions for a cluster.
pub(crate) async fn enable(server: &TestServer, cluster: &Value, names: &[&str]) {
    server.put(&format!("/clusters/{cluster}/extensions"), json!(names)).await.expect(200);
}

/// Provisions a cluster, or deploys it (`work`), and waits for the end of the task.
pub(crate) async fn work_on(server: &TestServer, cluster: &Value, work: &str) -> Value {
    let task = server.request(Method::PUT, &format!("/clusters/{cluster}/{work}"), None).await.expect(202);
    server.ended(&task).await
}

/// All that the API shows of what is stored, the tables of the tests' extensions included.
pub(crate) async fn everything(server: &TestServer) -> Value {
    let mut all = json!({});
    let lists = ["nodes", "clusters", "nodegroups", "releases", "tasks", "notifications"];
    let tables = ["herald/rows", "faulty/calls", "probe/rows", "bystander/rows"];
    for path in lists.into_iter().chain(tables) {
        all[path] = server.get(&format!("/{path}")).await.expect(200);
    }
    for cluster in list(&all["clusters"].clone()) {
        for part in ["attributes", "orchestrator/deployment", "orchestrator/provisioning"] {
            let path = format!("/clusters/{}/{part}", cluster["id"]);
            all[&path] = server.get(&path).await.expect(200);
        }
    }
    all
}

/// The elements of a list.
#[track_caller]
pub(crate) fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

/// One field of each element of a list.
#[track_caller]
pub(crate) fn each<'v>(value: &'v Value, field: &str) -> Vec<&'v Value> {
    list(value).iter().map(|element| &element[field]).collect()
}

/// Whether a text is part of a value that is a text.
#[track_caller]
pub(crate) fn contains(value: &Value, part: &str) -> bool {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).contains(part)
}

/// A file of the data that stand beside the repository, where they do.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
    path.exists().then_some(path)
}

/// Settings with these commands; `DIR` in them is the directory.
pub(crate) fn commands(dir: &TempDir, provision: &str, deploy: &str, time_limit: u64) -> String {
    let command = |text: &str| text.replace("DIR", &dir.path().display().to_string());
    format!(
        "[orchestrators.local]\nprovision = '''{}'''\ndeploy = '''{}'''\nparallel = 2\ntime_limit = {time_limit}",
        command(provision),
        command(deploy)
    )
}

/// Whether a process has ended; one that nobody has waited for yet has.
#[expect(clippy::disallowed_methods, reason = "a test may wait for `ps`")]
pub(crate) fn is_gone(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps runs");
    let state = String::from_utf8_lossy(&output.stdout);
    state.trim().is_empty() || state.trim().starts_with('Z')
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        while !holds().await {
            interval.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .unwrap_or_else(|_| panic!("it never happens that {what}"));
}
