//! What each stage did to the data: how long it took, the JSON Patch that it made, and who set a value last.

use super::{DataKind, Selection, preview};
use crate::{
    error::Outcome,
    extension::ClusterData,
    model::{Node, Object},
    server::Server,
};
use json_patch::{Patch, PatchOperation};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use utoipa::ToSchema;

/// How the data of a cluster came to be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// In the order in which they ran, and within a stage: what all nodes share, then the nodes by id.
    pub(crate) stages: Vec<StageRecord>,
    /// Who set what last.
    pub(crate) blame: Blame,
    /// The nodes that the data are for.
    #[serde(skip)]
    pub(crate) nodes: Arc<[Node]>,
}

/// What one stage did in one place.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StageRecord {
    /// The extension that the pipeline is of.
    pub(crate) extension: &'static str,
    /// The pipeline that the stage is of.
    pub(crate) pipeline: &'static str,
    /// `common`, or the id of a node.
    pub(crate) scope: String,
    /// How long the stage took, for all places together.
    #[schema(value_type = u64)]
    pub(crate) micros: u128,
    /// The change, as RFC 6902 has it.
    #[schema(value_type = Vec<Object>)]
    pub(crate) patch: Patch,
    /// What the place held before, for showing old values.
    #[serde(skip)]
    pub(crate) before: Value,
}

/// Which stage set a value last, as `extension/pipeline` by JSON Pointer. A value is blamed on whoever set the nearest
/// pointer above it; where there is none, it stands in the attributes of people, or Rivetgun filled it in.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Blame {
    /// What all nodes share.
    pub(crate) common: BTreeMap<String, String>,
    /// The documents of the nodes, by id.
    pub(crate) nodes: BTreeMap<String, BTreeMap<String, String>>,
}

/// Records stages, or does not: it costs a copy of the data a stage.
#[derive(Debug)]
pub(crate) struct Trace(Option<Vec<StageRecord>>);

/// Explains the data as they would be sent, customisation ignored. Writes nothing.
pub(crate) async fn explain(
    server: &Arc<Server>,
    cluster: i64,
    kind: DataKind,
    selection: &Selection,
) -> Outcome<Explanation> {
    let mut trace = Trace(Some(Vec::new()));
    let data = preview(server, cluster, kind, selection, &mut trace).await?;
    let stages = trace.0.unwrap_or_default();
    let mut blame = Blame::default();
    for record in &stages {
        blame.apply(record);
    }
    Ok(Explanation { stages, blame, nodes: data.node_list })
}

impl Trace {
    pub(crate) fn off() -> Self {
        Self(None)
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

impl Blame {
    fn apply(&mut self, record: &StageRecord) {
        let place = match record.scope.as_str() {
            "common" => &mut self.common,
            node => self.nodes.entry(node.to_owned()).or_default(),
        };
        for operation in &record.patch.0 {
            let pointer = list_or_place(&record.before, operation.path().as_str());
            let below = format!("{pointer}/");
            place.retain(|known, _| known != pointer && !known.starts_with(&below));
            if pointer != operation.path().as_str() || !matches!(operation, PatchOperation::Remove(_)) {
                place.insert(pointer.to_owned(), format!("{}/{}", record.extension, record.pipeline));
            }
        }
    }
}

/// A pointer into a list is the list's: what is put in or taken out moves the others, and their pointers with them.
fn list_or_place<'p>(before: &Value, pointer: &'p str) -> &'p str {
    let ends = pointer.match_indices('/').map(|(index, _)| index).filter(|index| *index > 0);
    ends.map(|end| &pointer[..end])
        .find(|parent| before.pointer(parent).is_some_and(Value::is_array))
        .unwrap_or(pointer)
}

#[cfg(test)]
mod tests {
    use super::{Blame, StageRecord};
    use serde_json::{Value, json};

    fn blame(steps: &[Value]) -> String {
        let mut blame = Blame::default();
        for (step, pipeline) in steps.windows(2).zip(["A", "B", "C", "D"]) {
            let (before, patch) = (step[0].clone(), json_patch::diff(&step[0], &step[1]));
            let scope = "common".to_owned();
            blame.apply(&StageRecord { extension: "x", pipeline, scope, micros: 0, patch, before });
        }
        blame.common.iter().map(|(pointer, who)| format!("{pointer}={who}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_last_stage_that_set_a_value_is_blamed() {
        let steps =
            [json!({"a": 1, "b": {"x": 1}}), json!({"a": 2, "b": {"x": 1}}), json!({"a": 3, "b": {"x": 1, "y": 2}})];
        assert_eq!(blame(&steps), "/a=x/B /b/y=x/B");
        assert_eq!(blame(&steps[..2]), "/a=x/A");
    }

    #[test]
    fn who_replaces_the_whole_takes_the_blame_for_its_parts_and_what_is_gone_has_none() {
        let steps = [json!({}), json!({"b": {"x": 1}}), json!({"b": {"x": 2}}), json!({"b": 5}), json!({})];
        assert_eq!(blame(&steps[..3]), "/b=x/A /b/x=x/B");
        assert_eq!(blame(&steps[..4]), "/b=x/C");
        assert_eq!(blame(&steps), "");
    }

    #[test]
    fn a_list_is_blamed_as_one() {
        let steps = [json!({"l": [1, 2, {"z": 1}]}), json!({"l": [1, {"z": 1}]}), json!({"l": [1, {"z": 2}]})];
        assert_eq!(blame(&steps[..2]), "/l=x/A");
        assert_eq!(blame(&steps), "/l=x/B");
    }
}
