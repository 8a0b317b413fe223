//! Clusters: nodes that are deployed together.

use super::{Object, words::words};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

words! {
    /// Where a cluster stands.
    pub enum ClusterStatus {
        /// Nothing was provisioned or deployed yet.
        New = "new",
        /// A task works on it.
        Deployment = "deployment",
        /// A task was stopped.
        Stopped = "stopped",
        /// All of its nodes are ready.
        Operational = "operational",
        /// Some of its nodes are provisioned or ready, not all are ready.
        PartiallyDeployed = "partially_deployed",
        /// The last task failed.
        Error = "error",
        /// It is being deleted.
        Remove = "remove",
    }
}

/// A cluster as extensions and the API see it. Its attributes are read on their own: they can be large.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Cluster {
    /// Its id.
    pub id: i64,
    /// Its name, unique.
    pub name: String,
    /// Where it stands.
    pub status: ClusterStatus,
    /// The id of its release.
    pub release: i64,
    /// The name of the orchestrator that works on its nodes.
    pub orchestrator: String,
    /// Whether a person replaced some of its generated data.
    pub is_customized: bool,
    /// The names of the extensions that are enabled for it, in the total order.
    pub extensions: Vec<String>,
    /// What changed since the last deployment: `attributes`, `nodes`, and what extensions note, such as `disks`.
    pub changes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a person stored in place of generated data, for one kind of it.
///
/// `common` is merged over the common part, after every pipeline. A document under `nodes` replaces the generated one of
/// that node, which no pipeline sees then.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Customisation {
    /// Laid over what all nodes share.
    #[serde(default)]
    pub(crate) common: Object,
    /// Replacements by node id.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Object>)]
    pub(crate) nodes: BTreeMap<i64, Object>,
}
