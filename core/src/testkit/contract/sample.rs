//! A cluster with nodes, for the checks to work on, whose data hold what is nobody's but the suite's.

use super::Subject;
use crate::{model::Object, testkit::Answer};
use serde_json::{Value, json};

/// The key of what no extension knows.
pub(super) const FOREIGN: &str = "rivetgun_contract";

/// What is there to work on.
pub(super) struct Sample {
    pub(super) cluster: Value,
    pub(super) nodes: Vec<Value>,
}

/// Values of every kind, nested.
pub(super) fn foreign() -> Value {
    json!({"list": [1, null, {"deep": [true, "text"]}], "empty": {}, "number": 1.5, "": "no name"})
}

impl Sample {
    /// A cluster with three nodes, for which the extension is not enabled. That the extension refuses them is its right,
    /// and a finding: nothing could be checked then.
    pub(super) async fn make(subject: &Subject) -> Option<Self> {
        let sample = Self::try_make(subject).await;
        if sample.is_none() {
            subject.find(
                "it refuses the suite's cluster or nodes, so that nothing can be checked: give it what it wants, with \
                 `Contract::hardware`, `attributes` or `settings`",
            );
        }
        sample
    }

    async fn try_make(subject: &Subject) -> Option<Self> {
        let server = &subject.server;
        let mut attributes = subject.attributes.clone();
        attributes.insert(FOREIGN.to_owned(), foreign());
        let provision = attributes.entry("provision").or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(provision) = provision {
            provision.insert(FOREIGN.to_owned(), foreign());
        }
        let wanted = json!({"name": "contract", "attributes": attributes});
        let cluster = made(subject, &server.post("/clusters", wanted).await)?["id"].clone();
        let mut nodes = Vec::new();
        for number in 1..=3 {
            let discovery = discovery(subject, number);
            let node = made(subject, &server.post("/nodes", discovery).await)?["id"].clone();
            let own = json!({"attributes": {FOREIGN: foreign(), "provision": {FOREIGN: foreign()}}});
            made(subject, &server.put(&format!("/nodes/{node}"), own).await)?;
            nodes.push(node);
        }
        let wanted: Value = nodes.iter().map(|id| json!({"id": id})).collect();
        made(subject, &server.post(&format!("/clusters/{cluster}/assignment"), wanted).await)?;
        Some(Self { cluster, nodes })
    }
}

/// What the agent of a node says.
pub(super) fn discovery(subject: &Subject, number: usize) -> Value {
    let mac = format!("02:00:00:00:01:{number:02x}");
    let meta = if subject.hardware.is_empty() {
        json!({
            "cpu": {"total": 4, "real": 1}, "memory": {"total": 8_589_934_592_u64},
            "interfaces": [{"name": "eth0", "mac": mac, "max_speed": 1000}],
            "disks": [{"name": "sda", "disk": "disk/by-path/pci-0", "size": 107_374_182_400_u64, "removable": "0"}],
        })
    } else {
        Value::Object(subject.hardware.clone())
    };
    json!({"mac": mac, "ip": format!("10.20.0.{number}"), "name": format!("contract-{number}"), "meta": meta})
}

/// What was answered, unless the extension refused it. That it failed is a finding.
pub(super) fn made(subject: &Subject, answer: &Answer) -> Option<Value> {
    match answer.status() {
        status if status < 400 => Some(if answer.text().is_empty() { Value::Null } else { answer.json() }),
        409 => None,
        status => {
            // Without what differs each time, such as the id of the request.
            let problem = answer.json();
            let detail = problem["detail"].as_str().unwrap_or_default();
            subject.find(format!("{} was answered with {status}: {detail}", answer.request()));
            None
        }
    }
}
