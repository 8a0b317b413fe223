//! The graph of a deployment: what Astute does on each node, and in which order.
//!
//! The data of a node reach it inside of the task `upload_configuration`, which is before all others.

use rivetgun::prelude::*;
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap, SerializeSeq},
};

/// `{"7": [task, …], "null": [task, …]}`: the tasks of each node, and those of the cluster as a whole.
pub(crate) struct TasksGraph<'a> {
    pub(crate) dispatch: &'a Dispatch,
    pub(crate) nodes: Vec<&'a Node>,
}

impl Serialize for TasksGraph<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.nodes.len() + 1))?;
        for node in &self.nodes {
            let tasks = tasks_of(self.dispatch, node).map_err(S::Error::custom)?;
            map.serialize_entry(&node.id.to_string(), &tasks)?;
        }
        map.serialize_entry("null", &Milestones)?;
        map.end()
    }
}

/// The tasks of a node: its configuration, and what its document says.
fn tasks_of(dispatch: &Dispatch, node: &Node) -> Result<Vec<Value>> {
    let document: Value = serde_json::from_slice(&dispatch.documents.merged(node.id)?)?;
    // Readers of YAML differ in how they fold long texts; a text in quotes is one.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let yaml = serde_saphyr::to_string_with_options(&document, options)?;
    let upload = json!({
        "id": "upload_configuration",
        "type": "upload_file",
        "fail_on_error": true,
        "parameters": {
            "cwd": "/",
            "path": format!("/etc/fuel/cluster/{}/astute.yaml", dispatch.cluster.id),
            "data": yaml,
            "timeout": 180,
        },
        "requires": [at("pre_deployment_start")],
        "required_for": [at("pre_deployment_end")],
    });
    let own = own_tasks(&document).into_iter().flatten().map(placed);
    Ok(std::iter::once(upload).chain(own).collect())
}

/// The tasks that the document brings along. A key `tasks` that is something else is left to whom it is for.
fn own_tasks(document: &Value) -> Option<Vec<Value>> {
    let tasks = document.get("tasks")?.as_array()?;
    let is_task = |task: &Value| task["id"].is_string() && task["type"].is_string();
    tasks.iter().all(is_task).then(|| tasks.clone())
}

/// A task that does not say when it is to run does so in the deployment proper.
fn placed(mut task: Value) -> Value {
    if task.get("requires").is_none() && task.get("required_for").is_none() {
        task["requires"] = json!([at("deploy_start")]);
        task["required_for"] = json!([at("deploy_end")]);
    }
    task
}

fn at(milestone: &str) -> Value {
    json!({"name": milestone, "node_id": null})
}

/// What the nodes wait for: the stages of a deployment, on the node that stands for the cluster.
struct Milestones;

impl Milestones {
    /// Each with the one that it comes after.
    const ALL: [(&str, Option<&str>); 6] = [
        ("pre_deployment_start", None),
        ("pre_deployment_end", Some("pre_deployment_start")),
        ("deploy_start", Some("pre_deployment_end")),
        ("deploy_end", Some("deploy_start")),
        ("post_deployment_start", Some("deploy_end")),
        ("post_deployment_end", Some("post_deployment_start")),
    ];
}

impl Serialize for Milestones {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(Self::ALL.len()))?;
        for (id, after) in Self::ALL {
            let mut task = json!({"id": id, "type": "skipped", "fail_on_error": false});
            if let Some(after) = after {
                task["requires"] = json!([at(after)]);
            }
            list.serialize_element(&task)?;
        }
        list.end()
    }
}
