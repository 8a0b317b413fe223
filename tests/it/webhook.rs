//! A server whose clusters have their orchestrator behind a webhook, and that is killed at the wrong moment.

use crate::{
    common::{contains, list, mac},
    process::{Serving, wait_for},
};
use serde_json::{Value, json};
use std::path::Path;
use webhook_receiver::{Answer, Receiver, plays};

const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBhbGwgdGVzdHMgaGVyZQ==";

#[test]
fn a_task_that_was_sent_and_not_answered_when_the_server_was_killed_comes_again_under_its_id() {
    let dir = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::start(SECRET).expect("it listens");
    receiver.answers([Answer::never()]);
    let serving = serve(dir.path(), &receiver);
    let task = provision(&serving);
    wait_for("the request", || (receiver.received().len() == 1).then_some(()));
    serving.kill();

    let serving = serve(dir.path(), &receiver);
    assert_eq!(ended(&serving, &task)["status"], "ready");
    let received = receiver.received();
    assert_eq!(received.iter().map(|request| request.is_repeated).collect::<Vec<_>>(), [false, true]);
    assert!(received.iter().all(|request| request.is_signed && request.json["task"] == task["uuid"]));
    assert_eq!(received[0].body, received[1].body);
}

#[test]
fn a_task_that_was_taken_on_when_the_server_was_killed_waits_for_its_reports() {
    let dir = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::start(SECRET).expect("it listens");
    receiver.plays(plays::nothing);
    let serving = serve(dir.path(), &receiver);
    let task = provision(&serving);
    // The receipt is kept right after. Were the server killed in between, the task would come once more under its id.
    wait_for("the line that tells of it", || (!log_of(&serving, &task).is_empty()).then_some(()));
    serving.kill();
    // The receiver tries until there is somebody to report to.
    receiver.report(task["uuid"].as_str().expect("a text"), json!({"status": "done"}));

    let serving = serve(dir.path(), &receiver);
    assert_eq!(ended(&serving, &task)["status"], "ready");
    wait_for("the answer", || receiver.reported().first().map(|report| assert_eq!(report.status, 204)));
    assert!(receiver.received().iter().all(|request| request.id == receiver.received()[0].id));
    serving.terminate();
}

#[test]
fn a_server_that_is_asked_to_end_while_the_receiver_is_away_offers_the_task_again_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::start(SECRET).expect("it listens");
    receiver.answers(vec![Answer::status(503).header("retry-after", "3600")]);
    let serving = serve(dir.path(), &receiver);
    let task = provision(&serving);
    wait_for("the outage in the log", || {
        log_of(&serving, &task).iter().any(|line| contains(&line["line"], "503")).then_some(())
    });
    let (status, _) = serving.terminate();
    assert_eq!(status.code(), Some(0));

    let serving = serve(dir.path(), &receiver);
    assert_eq!(ended(&serving, &task)["status"], "ready");
    assert_eq!(receiver.received().len(), 2);
}

/// Starts a server that has the receiver behind its webhook, which reports to it.
fn serve(dir: &Path, receiver: &Receiver) -> Serving {
    let section = format!(
        "[extensions.webhook_orchestrator]\nurl = {:?}\nsecret = {SECRET:?}\nallow_private_addresses = true\n",
        receiver.url()
    );
    std::fs::write(dir.join("settings.toml"), section).expect("a file");
    let serving = Serving::start(dir, &["--config", "settings.toml"]);
    receiver.reports_to(&format!("http://{}", serving.address()));
    serving
}

/// Begins to provision a cluster of one node; the task.
fn provision(serving: &Serving) -> Value {
    let node = serving.request("POST", "/nodes", &json!({"mac": mac(1)}), 201)["id"].clone();
    let wanted = json!({"name": "c", "orchestrator": "webhook", "nodes": [node]});
    let cluster = serving.request("POST", "/clusters", &wanted, 201)["id"].clone();
    serving.request("PUT", &format!("/clusters/{cluster}/provision"), &Value::Null, 202)
}

fn ended(serving: &Serving, task: &Value) -> Value {
    let path = format!("/tasks/{}", task["id"]);
    wait_for("the end of a task", || {
        let task = serving.request("GET", &path, &Value::Null, 200);
        (task["status"] == "ready" || task["status"] == "error").then_some(task)
    })
}

fn log_of(serving: &Serving, task: &Value) -> Vec<Value> {
    list(&serving.request("GET", &format!("/tasks/{}/log", task["id"]), &Value::Null, 200)).clone()
}
