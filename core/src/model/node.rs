//! Nodes: what the agent discovers, what people decide, what the orchestrator reports.

use super::{MacAddress, Object, words::words};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

words! {
    /// Where a node stands.
    pub enum NodeStatus {
        /// It was discovered, nothing was done to it.
        Discover = "discover",
        /// The orchestrator is provisioning it.
        Provisioning = "provisioning",
        /// It has an operating system.
        Provisioned = "provisioned",
        /// The orchestrator is deploying it.
        Deploying = "deploying",
        /// It does its work.
        Ready = "ready",
        /// Something failed; `error_type` and `error_msg` tell what.
        Error = "error",
        /// Work on it was stopped.
        Stopped = "stopped",
        /// The orchestrator is removing it.
        Removing = "removing",
    }
}

words! {
    /// The work in which a node failed.
    pub enum ErrorType {
        /// Provisioning failed.
        Provision = "provision",
        /// Deployment failed.
        Deploy = "deploy",
        /// Removal failed.
        Deletion = "deletion",
        /// The agent reports what cannot be.
        Discover = "discover",
        /// Stopping failed.
        StopDeployment = "stop_deployment",
    }
}

/// A node as extensions and the API see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Node {
    /// Its id.
    pub id: i64,
    /// Its id outside of this server.
    pub uuid: Uuid,
    /// The address by which it is recognised.
    pub mac: MacAddress,
    /// Its address in the admin network.
    pub ip: Option<String>,
    /// Its name, for people.
    pub name: String,
    /// Its host name, unique in its cluster.
    pub hostname: String,
    /// `hostname` in the domain of the installation, unless its attributes set another.
    pub fqdn: String,
    /// Where it stands.
    pub status: NodeStatus,
    /// How far the present work on it is, in per cent.
    pub progress: i32,
    /// Whether its agent was heard of lately.
    pub online: bool,
    /// When its agent was last heard of.
    pub timestamp: DateTime<Utc>,
    /// The roles that it was deployed with.
    pub roles: Vec<String>,
    /// The roles that the next deployment gives it.
    pub pending_roles: Vec<String>,
    /// Whether it is to be added to its cluster by the next deployment.
    pub pending_addition: bool,
    /// Whether it is to be removed by the next deployment.
    pub pending_deletion: bool,
    /// The id of its cluster.
    pub cluster: Option<i64>,
    /// The id of its node group.
    pub group_id: Option<i64>,
    /// The operating system that its agent runs in.
    pub os_platform: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// Its hardware, as the agent found it.
    pub meta: Object,
    /// Labels of people: names with values.
    pub labels: Object,
    /// What its deployment data are made of, beside the cluster's attributes.
    pub attributes: Object,
    /// In which work it failed.
    pub error_type: Option<ErrorType>,
    /// How it failed.
    pub error_msg: Option<String>,
    /// The names of the extensions that are enabled for it alone.
    pub extensions: Vec<String>,
}

impl Node {
    /// The roles that it has or is about to get.
    #[must_use]
    pub fn all_roles(&self) -> Vec<String> {
        super::without_repetition(self.roles.iter().chain(&self.pending_roles).cloned().collect())
    }
}

/// What an agent says of the machine that it runs on: the body of `POST /nodes` and `PUT /nodes/agent`.
///
/// Fields that are not listed here are taken and dropped, since agents of many ages talk to one server.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Discovery {
    /// The id of a node that is known already (`PUT /nodes/agent` only).
    pub(crate) id: Option<i64>,
    /// The address by which the node is recognised.
    pub(crate) mac: Option<MacAddress>,
    /// Its address in the admin network.
    pub(crate) ip: Option<String>,
    /// Its name; `Untitled (d2:66)` when absent.
    pub(crate) name: Option<String>,
    /// Absent, or `discover`.
    pub(crate) status: Option<NodeStatus>,
    /// Its hardware.
    pub(crate) meta: Option<Object>,
    /// The operating system that the agent runs in.
    pub(crate) os_platform: Option<String>,
    /// Who made it.
    pub(crate) manufacturer: Option<String>,
    /// A checksum over the whole payload, by the agent.
    pub(crate) agent_checksum: Option<String>,
}

impl Discovery {
    /// The addresses of its interfaces; one that is empty or absent is left out, one that is malformed an error.
    pub(crate) fn interface_macs(&self) -> Result<Vec<MacAddress>, String> {
        let Some(interfaces) = self.meta.as_ref().and_then(|meta| meta.get("interfaces")) else {
            return Ok(Vec::new());
        };
        let Value::Array(interfaces) = interfaces else {
            return Err("meta.interfaces is not a list".to_owned());
        };
        let mut macs = Vec::new();
        for (index, interface) in interfaces.iter().enumerate() {
            match interface.get("mac") {
                None | Some(Value::Null) => {}
                Some(Value::String(mac)) if mac.is_empty() => {}
                Some(Value::String(mac)) => {
                    macs.push(mac.parse().map_err(|error| format!("meta.interfaces[{index}].mac: {error}"))?);
                }
                Some(other) => return Err(format!("meta.interfaces[{index}].mac: {other} is not a text")),
            }
        }
        Ok(macs)
    }
}

/// What a person may change of a node; an absent field stays as it is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NodeUpdate {
    /// Its name, for people.
    pub(crate) name: Option<String>,
    /// Its host name, unique in its cluster; fixed once provisioning has begun.
    pub(crate) hostname: Option<String>,
    /// Labels of people, in place of all that it has.
    pub(crate) labels: Option<Object>,
    /// What its deployment data are made of, in place of all that it has.
    pub(crate) attributes: Option<Object>,
    /// The roles that it is said to have.
    pub(crate) roles: Option<Vec<String>>,
    /// The roles that the next deployment gives it.
    pub(crate) pending_roles: Option<Vec<String>>,
    /// The extensions that are enabled for it alone.
    pub(crate) extensions: Option<Vec<String>>,
    /// Its node group; `null` brings a node of a cluster back to the default group, so absence and `null` differ.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    pub(crate) group_id: Option<Option<i64>>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
