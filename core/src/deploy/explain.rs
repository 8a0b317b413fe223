//! What each stage did to the data: how long it took, and the JSON Patch that it made.

use crate::extension::ClusterData;
use crate::model::Object;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// What one stage did in one place.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StageRecord {
    pub(crate) extension: &'static str,
    pub(crate) pipeline: &'static str,
    /// `common`, or the id of a node.
    pub(crate) scope: String,
    /// How long the stage took, for all places together.
    pub(crate) micros: u128,
    /// The change, as RFC 6902 has it.
    pub(crate) patch: json_patch::Patch,
    /// What the place held before, for showing old values.
    #[serde(skip)]
    pub(crate) before: Value,
}

/// Records stages, or does not: it costs a copy of the data a stage.
#[derive(Debug)]
pub(crate) struct Trace(Option<Vec<StageRecord>>);

impl Trace {
    pub(crate) fn on() -> Self {
        Self(Some(Vec::new()))
    }

    pub(crate) fn off() -> Self {
        Self(None)
    }

    pub(crate) fn into_records(self) -> Vec<StageRecord> {
        self.0.unwrap_or_default()
    }

    /// The data as they are before a stage, where that will be needed.
    pub(super) fn before(&self, data: &ClusterData) -> Option<ClusterData> {
        self.0.is_some().then(|| data.clone())
    }

    pub(super) fn record(
        &mut self,
        before: Option<ClusterData>,
        after: &ClusterData,
        (extension, pipeline): (&'static str, &'static str),
        took: Duration,
    ) {
        let (Some(records), Some(before)) = (&mut self.0, before) else { return };
        let mut push = |scope: String, before: Object, after: Object| {
            let (before, after) = (Value::Object(before), Value::Object(after));
            let patch = json_patch::diff(&before, &after);
            if !patch.0.is_empty() {
                let micros = took.as_micros();
                records.push(StageRecord { extension, pipeline, scope, micros, patch, before });
            }
        };
        push("common".to_owned(), before.common, after.common.clone());
        for (before, after) in before.nodes.iter().zip(&after.nodes) {
            push(after.id().to_string(), before.document().clone(), after.document().clone());
        }
    }
}
