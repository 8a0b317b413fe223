//! Node groups: nodes of a cluster that share something, such as a rack or a network.

use serde::Serialize;
use utoipa::ToSchema;

/// A group of nodes of one cluster, as extensions and the API see it.
///
/// Every cluster has a default group, which a node joins with the cluster; so a node of a cluster is always in one of its
/// groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeGroup {
    /// Its id.
    pub id: i64,
    /// The id of its cluster.
    pub cluster_id: i64,
    /// Its name, unique in the cluster.
    pub name: String,
    /// Whether it is the one that nodes join with the cluster. It stays as long as the cluster does.
    pub is_default: bool,
}
