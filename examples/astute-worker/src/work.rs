//! The work itself, or what Astute says of it.

use crate::{Received, worker::Shared};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// Works on the envelopes of a message, one after the other; after one that fails the others are aborted.
pub(crate) async fn work_on(shared: Arc<Shared>, envelopes: Vec<Received>) {
    let mut goes_on = true;
    for request in &envelopes {
        if goes_on {
            goes_on = work(&shared, request).await;
        } else {
            let aborted = json!({"status": "error", "error": "Task aborted", "progress": 100});
            shared.answer(request, aborted).await;
        }
        shared.state.send_modify(|state| {
            state.current.remove(request.task_uuid());
            state.stopping.remove(request.task_uuid());
        });
    }
}

/// Works on one envelope; whether it went well.
async fn work(shared: &Shared, request: &Received) -> bool {
    let (begun, done, error_type) = match request.method() {
        "image_provision" => ("provisioning", "provisioned", "provision"),
        "task_deploy" => ("deploying", "ready", "deploy"),
        "reset_environment" | "remove_nodes" => {
            take_away(shared, request).await;
            return true;
        }
        other => {
            let error = format!("Unsupported method '{other}' called.");
            shared.answer(request, json!({"status": "error", "error": error})).await;
            return false;
        }
    };
    shared.reply("task_in_orchestrator", json!({"task_uuid": request.task_uuid()})).await;
    shared.answer(request, json!({"status": "running"})).await;
    let uids = request.uids();
    for progress in [20, 60] {
        let of_node = |uid: &String| json!({"uid": uid, "status": begun, "progress": progress});
        shared.answer(request, json!({"nodes": uids.iter().map(of_node).collect::<Value>()})).await;
        tokio::time::sleep(shared.pace).await;
    }
    let mut left: BTreeSet<String> = uids.into_iter().collect();
    let mut failed = Vec::new();
    while !left.is_empty() {
        let Some(uid) = shared.next(request, &left).await else {
            stopped(shared, request, &left).await;
            return false;
        };
        left.remove(&uid);
        let report = shared.node_report(&uid, done, error_type);
        if report["status"] == "error" {
            failed.push(uid);
        }
        shared.answer(request, json!({"nodes": [report]})).await;
    }
    let last = match (failed.is_empty(), error_type) {
        (true, _) => json!({"status": "ready", "progress": 100}),
        (false, "provision") => {
            json!({"status": "error", "progress": 100, "error": "Too many nodes failed to provision"})
        }
        (false, _) => {
            let error = format!("All nodes are finished. Failed tasks: Task[x/{}]", failed.join(", "));
            json!({"status": "error", "progress": 100, "error": error})
        }
    };
    shared.answer(request, last).await;
    failed.is_empty()
}

/// Work on a deployment ends when it is told to, and says so; on a provisioning it is killed, and says nothing more.
async fn stopped(shared: &Shared, request: &Received, left: &BTreeSet<String>) {
    if request.method() == "task_deploy" {
        let nodes: Value = left.iter().map(|uid| json!({"uid": uid, "status": "stopped", "progress": 100})).collect();
        shared.answer(request, json!({"nodes": nodes})).await;
        shared.answer(request, json!({"status": "error", "progress": 100, "error": "Gracefully stopped"})).await;
    }
}

/// Erases nodes, and reboots them.
async fn take_away(shared: &Shared, request: &Received) {
    tokio::time::sleep(shared.pace).await;
    let mut left: BTreeSet<String> = request.uids().into_iter().collect();
    while let Some(uid) = shared.next(request, &left).await {
        left.remove(&uid);
    }
    let (mut erased, mut failed, mut away) = (Vec::new(), Vec::new(), Vec::new());
    {
        let state = shared.state.borrow();
        for uid in request.uids() {
            match state.failing.get(&uid) {
                Some(error) => failed.push(json!({"uid": uid, "error": error})),
                None if state.away.contains(&uid) => away.push(json!({"uid": uid})),
                None => erased.push(json!({"uid": uid})),
            }
        }
    }
    let mut answer = json!({"status": "ready", "progress": 100, "nodes": erased, "inaccessible_nodes": away});
    if !failed.is_empty() {
        answer["status"] = "error".into();
        answer["error"] = "Some nodes could not be erased".into();
        answer["error_nodes"] = failed.into();
    }
    shared.answer(request, answer).await;
}

/// Stops the work that a stop is about. As Astute, it says nothing where it does not know that work.
pub(crate) async fn stop(shared: &Shared, stop: &Received) {
    let stops = stop.args()["stop_task_uuid"].as_str().unwrap_or_default().to_owned();
    if !shared.state.borrow().current.contains(&stops) {
        return;
    }
    let is_deployment = {
        let state = shared.state.borrow();
        state.received.iter().any(|sent| sent.task_uuid() == stops && sent.method() == "task_deploy")
    };
    shared.state.send_modify(|state| state.stopping.extend([stops.clone()]));
    let mut state = shared.state.subscribe();
    // It cannot end while the worker is there.
    let _ = state.wait_for(|state| !state.current.contains(&stops)).await;
    let mut answer = json!({"status": "ready", "progress": 100});
    if !is_deployment {
        let state = shared.state.borrow();
        let (away, erased): (Vec<String>, Vec<String>) =
            stop.uids().into_iter().partition(|uid| state.away.contains(uid));
        let listed = |uids: Vec<String>| -> Value { uids.iter().map(|uid| json!({"uid": uid})).collect() };
        answer["nodes"] = listed(erased);
        answer["inaccessible_nodes"] = listed(away);
    }
    shared.answer(stop, answer).await;
}

impl Shared {
    /// Answers a message.
    async fn answer(&self, request: &Received, mut args: Value) {
        args["task_uuid"] = request.task_uuid().into();
        self.reply(request.envelope["respond_to"].as_str().unwrap_or_default(), args).await;
    }

    /// The next node that is not held, as soon as there is one; nothing once the work is to stop, or nothing is left.
    async fn next(&self, request: &Received, left: &BTreeSet<String>) -> Option<String> {
        if left.is_empty() {
            return None;
        }
        let mut state = self.state.subscribe();
        let is_stopping = |state: &crate::worker::State| state.stopping.contains(request.task_uuid());
        let state =
            state.wait_for(|state| is_stopping(state) || left.iter().any(|uid| !state.holds(uid))).await.ok()?;
        if is_stopping(&state) {
            return None;
        }
        left.iter().find(|uid| !state.holds(uid)).cloned()
    }

    /// What is said of a node at its end.
    fn node_report(&self, uid: &str, done: &str, error_type: &str) -> Value {
        let state = self.state.borrow();
        match state.failing.get(uid) {
            Some(error) => {
                json!({"uid": uid, "status": "error", "progress": 100, "error_type": error_type, "error_msg": error})
            }
            None if state.away.contains(uid) => {
                json!({"uid": uid, "status": "error", "progress": 100, "error_type": error_type, "online": false})
            }
            None => json!({"uid": uid, "status": done, "progress": 100}),
        }
    }
}
