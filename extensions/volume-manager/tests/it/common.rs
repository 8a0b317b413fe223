//! Small words that the tests share.

use rivetgun::{
    prelude::{Value, json, sea_orm::*},
    testkit::{TestServer, new_postgres_database, skip},
};
use std::{
    future::Future,
    path::{Path, PathBuf},
};

/// A node of this name with disks of so many MiB, named `sda`, `sdb`, …, and 8 GiB of memory; its id.
pub(crate) async fn node(server: &TestServer, name: &str, sizes: &[u64]) -> Value {
    let known = server.get("/nodes/allocation/stats").await.expect(200)["total"].as_u64().expect("a number");
    let mac = format!("02:00:00:00:00:{:02x}", known + 1);
    let wanted = json!({"mac": mac, "name": name, "meta": meta(sizes)});
    server.post("/nodes", wanted).await.expect(201)["id"].clone()
}

/// Hardware with disks of so many MiB.
pub(crate) fn meta(sizes: &[u64]) -> Value {
    let disks = sizes.iter().zip('a'..).map(|(size, letter)| {
        let name = format!("sd{letter}");
        json!({"name": name, "disk": format!("disk/by-path/{name}"), "size": size << 20, "extra": [], "removable": "0"})
    });
    json!({"disks": disks.collect::<Value>(), "memory": {"total": 8_u64 << 30}})
}

/// A cluster with the extension enabled; its id.
pub(crate) async fn cluster(server: &TestServer, attributes: Value) -> Value {
    let wanted = json!({"name": "one", "attributes": attributes});
    let id = server.post("/clusters", wanted).await.expect(201)["id"].clone();
    server.put(&format!("/clusters/{id}/extensions"), json!(["volume_manager"])).await.expect(200);
    id
}

/// Puts a node into a cluster, with these roles pending.
pub(crate) async fn assign(server: &TestServer, cluster: &Value, node: &Value, roles: &[&str]) {
    let wanted = json!([{"id": node, "roles": roles}]);
    server.post(&format!("/clusters/{cluster}/assignment"), wanted).await.expect(200);
}

/// The layout of a node.
pub(crate) async fn disks(server: &TestServer, node: &Value) -> Value {
    server.get(&format!("/nodes/{node}/disks")).await.expect(200)
}

/// The layout of a node in a line a disk: `sda 101580: os 28672, logs 10240`, without what is empty.
pub(crate) async fn lines(server: &TestServer, node: &Value) -> Vec<String> {
    let disks = disks(server, node).await;
    let line = |disk: &Value| {
        let parts = list(&disk["volumes"]).iter().filter(|part| part["size"] != 0);
        let parts = parts.map(|part| format!("{} {}", text(&part["name"]), part["size"])).collect::<Vec<_>>();
        format!("{} {}: {}", text(&disk["name"]), disk["size"], parts.join(", "))
    };
    list(&disks).iter().map(line).collect()
}

/// The notifications that the extension left, oldest first.
pub(crate) async fn told(server: &TestServer) -> Vec<String> {
    let all = server.get("/notifications").await.expect(200);
    let own = list(&all).iter().filter(|told| text(&told["message"]).contains("olumes"));
    own.map(|told| format!("{}: {}", text(&told["topic"]), text(&told["message"]))).collect()
}

/// The elements of a list.
#[track_caller]
pub(crate) fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// A file of the data that stand beside the repository, where they do.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).join(path);
    path.exists().then_some(path)
}

/// The text of a file.
#[expect(clippy::disallowed_methods, reason = "a test may wait for a file")]
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder whose names begin like this, in order.
#[expect(clippy::disallowed_methods, reason = "a test may wait for a folder")]
pub(crate) fn files_of(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("the folder can be read").map(|entry| entry.expect("an entry").path());
    let begins = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    let mut files: Vec<PathBuf> = files.filter(begins).collect();
    files.sort();
    files
}

/// Runs a test with the URL of an empty SQLite file, and again with that of an empty PostgreSQL database.
pub(crate) fn on_both_urls<F: Future<Output = ()>>(test: impl Fn(String) -> F) {
    let run = |url| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(test(url));
        runtime.shutdown_background();
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    run(format!("sqlite://{}?mode=rwc", dir.path().join("test.sqlite").display()));
    match new_postgres_database() {
        Ok(url) => run(url),
        Err(reason) => skip("PostgreSQL", &reason),
    }
}

/// Runs a statement past the server.
pub(crate) async fn execute(url: &str, sql: &str) {
    let connection = Database::connect(url).await.expect("a connection");
    connection.execute_unprepared(sql).await.expect(sql);
    connection.close().await.expect("it is closed");
}

/// The nodes that have a row in the table of the extension.
pub(crate) async fn rows(url: &str) -> Vec<i64> {
    let connection = Database::connect(url).await.expect("a connection");
    let select = "SELECT node_id FROM volume_manager_node_volumes ORDER BY node_id";
    let statement = Statement::from_string(connection.get_database_backend(), select);
    let rows = connection.query_all_raw(statement).await.expect("the rows");
    connection.close().await.expect("it is closed");
    rows.iter().map(|row| row.try_get("", "node_id").expect("a number")).collect()
}
