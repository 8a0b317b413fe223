//! Servers with receivers behind their targets.

use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use webhook_receiver::{Received, Receiver, Secret, plays};

pub(crate) const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBhbGwgdGVzdHMgaGVyZQ==";
pub(crate) const OTHER_SECRET: &str = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzIGhlcmU=";

/// Attempts that follow each other fast, and many of them.
pub(crate) const QUICK: &str = "[events]\nfirst_retry_ms = 20\nlongest_retry_s = 1\nattempts = 1000\n";

/// Runs a test on both databases, with a receiver that takes everything behind the target `all`.
#[expect(clippy::needless_pass_by_value, reason = "a test is written where it is called")]
pub(crate) fn with_receiver(events: &str, more: &str, test: impl AsyncFn(&TestServer, &Receiver)) {
    let receiver = receiver();
    let settings = format!("{QUICK}{}{more}", target("all", &receiver.url(), events));
    on_both_databases(&settings, async |server| {
        receiver.forget();
        receiver.plays(plays::nothing);
        receiver.uses(Secret::parse(SECRET).expect("a secret"));
        test(&server, &receiver).await;
    });
}

/// A receiver that takes everything.
pub(crate) fn receiver() -> Receiver {
    receiver_at(SocketAddr::from(([127, 0, 0, 1], 0)))
}

pub(crate) fn receiver_at(address: SocketAddr) -> Receiver {
    let receiver = Receiver::start_at(address, SECRET).expect("it listens");
    receiver.plays(plays::nothing);
    receiver
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// The section of a target on this machine; more lines may follow.
pub(crate) fn target(name: &str, url: &str, events: &str) -> String {
    format!(
        "[extensions.notify_webhook.targets.{name}]\nurl = \"{url}\"\nevents = {events}\nsecret = \"{SECRET}\"\n\
         allow_private_addresses = true\n"
    )
}

/// Registers a node; its id.
pub(crate) async fn node(server: &TestServer, number: usize) -> Value {
    server.discover(&format!("02:00:00:00:{:02x}:{:02x}", number >> 8, number & 0xff)).await["id"].clone()
}

pub(crate) async fn rename(server: &TestServer, node: &Value, name: &str) {
    server.put(&format!("/nodes/{node}"), json!({"name": name})).await.expect(200);
}

/// What was told of a node, in order: action, its name, and what it was answered with.
pub(crate) fn told(received: &[Received], node: &Value) -> Vec<(String, String, u16)> {
    let key = node.to_string();
    let is_it = |event: &Value| event["type"] == "nodes" && event["key"] == key.as_str();
    let of_it = received.iter().filter(|request| is_it(&request.json));
    of_it.map(|one| (word(&one.json["action"]), word(&one.json["object"]["name"]), one.answered)).collect()
}

/// Waits until people are told of a dead letter; the text.
pub(crate) async fn dead_letter(server: &TestServer) -> String {
    let is_it = |one: &Value| one["extension"] == "notify_webhook";
    let all = server.wait_for("/notifications", |all| all.as_array().is_some_and(|all| all.iter().any(is_it))).await;
    word(&all.as_array().expect("a list").iter().find(|one| is_it(one)).expect("it is told")["message"])
}

#[track_caller]
pub(crate) fn word(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}
