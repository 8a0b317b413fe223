//! A server with a receiver behind its webhook.

use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use webhook_receiver::{Receiver, Secret};

pub(crate) const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBhbGwgdGVzdHMgaGVyZQ==";
pub(crate) const OTHER_SECRET: &str = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzIGhlcmU=";

/// Runs a test on both databases, with a receiver that takes everything on, and reports to the server.
#[expect(clippy::needless_pass_by_value, reason = "a test is written where it is called")]
pub(crate) fn with_receiver(settings: &str, test: impl AsyncFn(&TestServer, &Receiver)) {
    let receiver = Receiver::start(SECRET).expect("it listens");
    let settings =
        settings_of(&receiver.url(), &format!("secret = \"{SECRET}\"\nallow_private_addresses = true\n{settings}"));
    on_both_databases(&settings, async |server| {
        receiver.forget();
        receiver.uses(Secret::parse(SECRET).expect("a secret"));
        receiver.reports_to(&format!("http://{}", server.listen().await));
        test(&server, &receiver).await;
    });
}

/// A cluster of the webhook with nodes in it; its id, and theirs.
pub(crate) async fn cluster_with_nodes(server: &TestServer, count: usize) -> (Value, Vec<Value>) {
    let wanted = json!({"name": "c", "orchestrator": "webhook", "attributes": {"zone": "north", "provision": {"image": "debian"}}});
    let cluster = server.post("/clusters", wanted).await.expect(201)["id"].clone();
    let mut nodes = Vec::new();
    for number in 0..count {
        let mac = format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256);
        nodes.push(server.discover(&mac).await["id"].clone());
    }
    let wanted: Value = nodes.iter().map(|id| json!({"id": id, "roles": ["compute"]})).collect();
    server.post(&format!("/clusters/{cluster}/assignment"), wanted).await.expect(200);
    (cluster, nodes)
}

/// Asks for work on a cluster; the task.
pub(crate) async fn ask(server: &TestServer, cluster: &Value, work: &str) -> Value {
    server.put(&format!("/clusters/{cluster}/{work}"), Value::Null).await.expect(202)
}

/// Provisions a cluster, or deploys it (`work`), and waits for the end of the task.
pub(crate) async fn work_on(server: &TestServer, cluster: &Value, work: &str) -> Value {
    let task = ask(server, cluster, work).await;
    server.ended(&task).await
}

/// Provisions nodes that may be provisioned already, and waits for the end of the task.
pub(crate) async fn provision(server: &TestServer, cluster: &Value, nodes: &[Value]) -> Value {
    let nodes: Vec<String> = nodes.iter().map(Value::to_string).collect();
    work_on(server, cluster, &format!("provision?nodes={}", nodes.join(","))).await
}

/// The lines of the log of a task.
pub(crate) async fn log_of(server: &TestServer, task: &Value) -> Vec<String> {
    let log = server.get(&format!("/tasks/{}/log", task["id"])).await.expect(200);
    log.as_array().expect("a list").iter().map(|line| text(&line["line"]).to_owned()).collect()
}

/// What stands in a field of every node.
pub(crate) async fn of_nodes(server: &TestServer, field: &str) -> Vec<Value> {
    let nodes = server.get("/nodes").await.expect(200);
    nodes.as_array().expect("a list").iter().map(|node| node[field].clone()).collect()
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// A settings file with a URL, and whatever else.
pub(crate) fn settings_of(url: &str, rest: &str) -> String {
    format!("[extensions.webhook_orchestrator]\nurl = \"{url}\"\n{rest}")
}
