//! A call of a hook, as a value.

use crate::model::{Change, Cluster, Node, NodeGroup};

/// Which hook is called, and with what. The variants stand in the order of [`super::Extension`]'s methods.
#[derive(Debug, Clone, Copy)]
pub(crate) enum HookCall<'a> {
    NodeCreate(&'a Node),
    NodeUpdate(&'a Node, &'a Change),
    NodeReset(&'a Node),
    NodeDelete(&'a Node),
    NodeCollectionDelete(&'a [i64]),
    NodeAssign(&'a Node, &'a Cluster),
    RemoveNodeFromCluster(&'a Node, &'a Cluster),
    NodegroupCreate(&'a NodeGroup),
    NodegroupDelete(&'a NodeGroup),
    ClusterCreate(&'a Cluster),
    ClusterUpdate(&'a Cluster, &'a Change),
    ClusterDelete(&'a Cluster),
    ClusterPatchAttributes(&'a Cluster, &'a Change),
    ExtensionEnable(&'a Cluster),
    ExtensionDisable(&'a Cluster),
    BeforeDeploymentCheck(&'a Cluster, &'a [Node]),
    BeforeDeploymentSerialization(&'a Cluster, &'a [Node]),
    BeforeProvisioningSerialization(&'a Cluster, &'a [Node]),
}

impl HookCall<'_> {
    /// The name of the method that is called.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::NodeCreate(..) => "on_node_create",
            Self::NodeUpdate(..) => "on_node_update",
            Self::NodeReset(..) => "on_node_reset",
            Self::NodeDelete(..) => "on_node_delete",
            Self::NodeCollectionDelete(..) => "on_node_collection_delete",
            Self::NodeAssign(..) => "on_node_assign",
            Self::RemoveNodeFromCluster(..) => "on_remove_node_from_cluster",
            Self::NodegroupCreate(..) => "on_nodegroup_create",
            Self::NodegroupDelete(..) => "on_nodegroup_delete",
            Self::ClusterCreate(..) => "on_cluster_create",
            Self::ClusterUpdate(..) => "on_cluster_update",
            Self::ClusterDelete(..) => "on_cluster_delete",
            Self::ClusterPatchAttributes(..) => "on_cluster_patch_attributes",
            Self::ExtensionEnable(..) => "on_extension_enable",
            Self::ExtensionDisable(..) => "on_extension_disable",
            Self::BeforeDeploymentCheck(..) => "on_before_deployment_check",
            Self::BeforeDeploymentSerialization(..) => "on_before_deployment_serialization",
            Self::BeforeProvisioningSerialization(..) => "on_before_provisioning_serialization",
        }
    }

    /// The cluster and the node that a notification about the call is about.
    pub(crate) fn subject(&self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::NodeCreate(node) | Self::NodeUpdate(node, _) | Self::NodeReset(node) | Self::NodeDelete(node) => {
                (node.cluster, Some(node.id))
            }
            Self::NodeAssign(node, cluster) | Self::RemoveNodeFromCluster(node, cluster) => {
                (Some(cluster.id), Some(node.id))
            }
            Self::NodeCollectionDelete(_) => (None, None),
            Self::NodegroupCreate(group) | Self::NodegroupDelete(group) => (Some(group.cluster_id), None),
            Self::ClusterCreate(cluster)
            | Self::ClusterUpdate(cluster, _)
            | Self::ClusterDelete(cluster)
            | Self::ClusterPatchAttributes(cluster, _)
            | Self::ExtensionEnable(cluster)
            | Self::ExtensionDisable(cluster)
            | Self::BeforeDeploymentCheck(cluster, _)
            | Self::BeforeDeploymentSerialization(cluster, _)
            | Self::BeforeProvisioningSerialization(cluster, _) => (Some(cluster.id), None),
        }
    }
}
