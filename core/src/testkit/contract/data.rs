//! The data of a cluster: made alike each time, and nothing lost that is not the extension's.

use super::{
    Subject, check,
    sample::{FOREIGN, Sample, foreign, made},
};
use crate::{deploy::DataKind, extension::NodeData};
use serde_json::{Value, json};

check!(DETERMINISTIC = "its stages make the same of the same", repeated);
check!(KEEPS = "its stages keep what they do not own", kept);

async fn repeated(subject: &Subject) {
    if let Some(sample) = enabled(subject).await {
        repeated_for(subject, &sample).await;
    }
}

/// Looks whether the data of a cluster, for which it is enabled, are made alike each time.
pub(super) async fn repeated_for(subject: &Subject, sample: &Sample) {
    for kind in DataKind::ALL {
        let (Some(first), Some(second)) =
            (data(subject, sample, kind, "").await, data(subject, sample, kind, "").await)
        else {
            continue;
        };
        if first != second {
            let patch = json_patch::diff(&first, &second);
            subject
                .find(format!("the {kind} data differ when they are made again, though the time stood still: {patch}"));
        }
        let of_one = data(subject, sample, kind, &format!("?nodes={}", sample.nodes[0])).await;
        if of_one.is_some_and(|data| data["nodes"].as_object().map(serde_json::Map::len) != Some(1)) {
            subject.find(format!("{kind} data that are wanted for one node are not those of one node"));
        }
    }
}

async fn kept(subject: &Subject) {
    let Some(sample) = Sample::make(subject).await else { return };
    let mut before = Vec::new();
    for kind in DataKind::ALL {
        before.push(data(subject, &sample, kind, "").await);
    }
    if enable(subject, &sample).await.is_none() {
        return;
    }
    for (kind, before) in DataKind::ALL.into_iter().zip(before) {
        let (Some(before), Some(after)) = (before, data(subject, &sample, kind, "").await) else { continue };
        keeps(subject, kind, "what all nodes share", &before["common"], &after["common"], &["cluster"]);
        for node in &sample.nodes {
            let (place, id) = (format!("node {node}"), node.to_string());
            keeps(subject, kind, &place, &before["nodes"][&id], &after["nodes"][&id], &NodeData::KEYS);
        }
    }
}

/// Whether the keys that make a document what it is, and the suite's own, are as they were.
fn keeps(subject: &Subject, kind: DataKind, place: &str, before: &Value, after: &Value, keys: &[&str]) {
    for key in keys {
        if before.get(key) != after.get(key) {
            let (old, new) = (&before[*key], &after[*key]);
            subject.find(format!("in the {kind} data of {place}, `{key}` was {old}, and is {new} after its stages"));
        }
    }
    if after[FOREIGN] != foreign() {
        let patch = json_patch::diff(&foreign(), &after[FOREIGN]);
        subject.find(format!("in the {kind} data of {place}, `{FOREIGN}` changed, which is not its own: {patch}"));
    }
}

async fn enabled(subject: &Subject) -> Option<Sample> {
    let sample = Sample::make(subject).await?;
    enable(subject, &sample).await?;
    Some(sample)
}

pub(super) async fn enable(subject: &Subject, sample: &Sample) -> Option<Value> {
    let path = format!("/clusters/{}/extensions", sample.cluster);
    made(subject, &subject.server.put(&path, json!([subject.metadata.name])).await)
}

async fn data(subject: &Subject, sample: &Sample, kind: DataKind, query: &str) -> Option<Value> {
    let path = format!("/clusters/{}/orchestrator/{kind}/defaults{query}", sample.cluster);
    made(subject, &subject.server.get(&path).await)
}
