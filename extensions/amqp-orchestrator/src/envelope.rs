//! What a message says: the envelopes of Nailgun, as Astute reads them.
//!
//! A message is written node by node into its compressed body, so that never more than one node's data are in memory twice.

use crate::{
    graph::TasksGraph,
    messages::{Method, Model},
    settings::Compression,
};
use flate2::write::ZlibEncoder;
use rivetgun::prelude::*;
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap, SerializeSeq},
};
use std::io::Write;

/// The body of a message. It takes a while: not for a thread that serves requests.
///
/// # Errors
/// When the data of a node are missing.
pub(crate) fn body(dispatch: &Dispatch, message: &Model, compression: Compression) -> Result<Vec<u8>> {
    let envelope = Envelope::of(dispatch, message)?;
    Ok(match compression {
        Compression::None => serde_json::to_vec(&envelope)?,
        Compression::Zlib => {
            let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            // It writes in small pieces.
            let mut buffered = std::io::BufWriter::new(&mut encoder);
            serde_json::to_writer(&mut buffered, &envelope)?;
            buffered.flush()?;
            drop(buffered);
            encoder.finish()?
        }
    })
}

#[derive(Serialize)]
struct Envelope<'a> {
    api_version: &'static str,
    method: &'static str,
    respond_to: &'static str,
    args: Args<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Provision {
        task_uuid: Uuid,
        provisioning_info: ProvisioningInfo<'a>,
    },
    Deploy {
        task_uuid: Uuid,
        dry_run: bool,
        noop_run: bool,
        debug: bool,
        tasks_directory: Object,
        tasks_graph: TasksGraph<'a>,
        tasks_metadata: Value,
    },
    Nodes {
        task_uuid: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        stop_task_uuid: Option<Uuid>,
        engine: Value,
        nodes: Vec<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        check_ceph: Option<bool>,
    },
}

impl<'a> Envelope<'a> {
    fn of(dispatch: &'a Dispatch, message: &Model) -> Result<Self> {
        let (method, respond_to) = message.method.names();
        let task_uuid = message.uuid;
        // A node that has ended since, or is deleted, is left out.
        let find = |id| dispatch.nodes.get(dispatch.nodes.binary_search_by_key(id, |node| node.id).ok()?);
        let nodes: Vec<&Node> = message.nodes.0.iter().filter_map(find).collect();
        let common: Object = serde_json::from_str(dispatch.documents.common().json())?;
        let args = match message.method {
            Method::Provision => Args::Provision {
                task_uuid,
                provisioning_info: ProvisioningInfo { common, nodes: ProvisionedNodes { dispatch, nodes } },
            },
            Method::Deploy => Args::Deploy {
                task_uuid,
                dry_run: false,
                noop_run: false,
                debug: common.get("debug").and_then(Value::as_bool).unwrap_or_default(),
                tasks_directory: Object::new(),
                tasks_graph: TasksGraph { dispatch, nodes },
                tasks_metadata: json!({
                    "fault_tolerance_groups": common.get("fault_tolerance_groups").cloned().unwrap_or_else(|| json!([]))
                }),
            },
            Method::Stop | Method::Reset | Method::Remove => Args::Nodes {
                task_uuid,
                stop_task_uuid: message.stops,
                engine: common.get("engine").cloned().unwrap_or_else(|| json!({})),
                nodes: nodes.into_iter().map(|node| named(node, message.method)).collect(),
                check_ceph: (message.method == Method::Remove).then_some(false),
            },
        };
        Ok(Self { api_version: "1", method, respond_to, args })
    }
}

/// A node as work without data names it.
fn named(node: &Node, method: Method) -> Value {
    let mut named = json!({"uid": node.id.to_string(), "roles": node.all_roles(), "slave_name": node.hostname});
    match method {
        Method::Stop => named["admin_ip"] = node.ip.clone().into(),
        // Its disks are erased by mcollective, whose agent every node has that was provisioned.
        Method::Remove => (named["id"], named["mclient_remove"]) = (node.id.into(), true.into()),
        _ => {}
    }
    named
}

/// What all nodes share, and the list of nodes.
struct ProvisioningInfo<'a> {
    common: Object,
    nodes: ProvisionedNodes<'a>,
}

impl Serialize for ProvisioningInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.common.iter().filter(|(key, _)| *key != "nodes") {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("nodes", &self.nodes)?;
        map.end()
    }
}

struct ProvisionedNodes<'a> {
    dispatch: &'a Dispatch,
    nodes: Vec<&'a Node>,
}

impl Serialize for ProvisionedNodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.nodes.len()))?;
        for node in &self.nodes {
            list.serialize_element(&provisioned(self.dispatch, node).map_err(S::Error::custom)?)?;
        }
        list.end()
    }
}

/// The document of a node, under the names by which Astute and its Cobbler know the node: its host name stays the same,
/// and is unique, which the name that people gave it is not.
fn provisioned(dispatch: &Dispatch, node: &Node) -> Result<Object> {
    let missing = || Error::failed(format!("there are no data for node {}", node.id));
    let mut document: Object = serde_json::from_str(dispatch.documents.node(node.id).ok_or_else(missing)?.json())?;
    let slave_name = match document.get("slave_name") {
        Some(Value::String(name)) => name.clone(),
        _ => node.hostname.clone(),
    };
    document.insert("uid".to_owned(), node.id.to_string().into());
    document.insert("name".to_owned(), slave_name.clone().into());
    document.insert("slave_name".to_owned(), slave_name.into());
    Ok(document)
}
