//! What a pipeline changes: the data of a cluster on their way to the orchestrator.

use crate::model::{Cluster, Node, Object};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// The data of a cluster: what all nodes share, and one document a node.
///
/// It stays split from the serializer to the orchestrator, so that its size is linear in the nodes. The receiver merges:
/// objects key by key, at every depth; a list or a scalar of the node replaces the common one.
#[derive(Debug, Clone)]
pub struct ClusterData {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) node_list: Arc<[Node]>,
    pub(crate) common: Object,
    pub(crate) nodes: Vec<NodeData>,
}

/// The document of one node; it can be read and changed like the map that it is.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeData {
    id: i64,
    document: Object,
}

impl ClusterData {
    /// The cluster that the data are for.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The nodes that the data are for, in the order of their ids. Nodes whose data a person replaced are not among them.
    #[must_use]
    pub fn node_list(&self) -> &[Node] {
        &self.node_list
    }

    /// What all nodes share.
    #[must_use]
    pub fn common(&self) -> &Object {
        &self.common
    }

    /// What all nodes share, to change.
    pub fn common_mut(&mut self) -> &mut Object {
        &mut self.common
    }

    /// The documents of the nodes, in the order of their ids.
    #[must_use]
    pub fn nodes(&self) -> &[NodeData] {
        &self.nodes
    }

    /// The documents of the nodes, to change.
    pub fn nodes_mut(&mut self) -> &mut [NodeData] {
        &mut self.nodes
    }

    /// The document of one node.
    #[must_use]
    pub fn node(&self, id: i64) -> Option<&NodeData> {
        let index = self.nodes.binary_search_by_key(&id, |node| node.id).ok()?;
        self.nodes.get(index)
    }

    /// The document of one node, to change.
    pub fn node_mut(&mut self, id: i64) -> Option<&mut NodeData> {
        let index = self.nodes.binary_search_by_key(&id, |node| node.id).ok()?;
        self.nodes.get_mut(index)
    }
}

impl NodeData {
    /// The keys that say which node it is. Rivetgun fills them in where the attributes of the node do not have them, and stages
    /// leave them as they are.
    pub const KEYS: [&'static str; 7] = ["uid", "name", "hostname", "fqdn", "mac", "ip", "roles"];

    pub(crate) fn new(id: i64, document: Object) -> Self {
        Self { id, document }
    }

    /// The id of the node.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The document itself.
    #[must_use]
    pub fn document(&self) -> &Object {
        &self.document
    }
}

impl Deref for NodeData {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.document
    }
}

impl DerefMut for NodeData {
    fn deref_mut(&mut self) -> &mut Object {
        &mut self.document
    }
}

/// `{"common": {…}, "nodes": {"1": {…}}}`
impl Serialize for ClusterData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Nodes<'a>(&'a [NodeData]);
        impl Serialize for Nodes<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(self.0.len()))?;
                for node in self.0 {
                    map.serialize_entry(&node.id, &node.document)?;
                }
                map.end()
            }
        }
        let mut data = serializer.serialize_struct("ClusterData", 2)?;
        data.serialize_field("common", &self.common)?;
        data.serialize_field("nodes", &Nodes(&self.nodes))?;
        data.end()
    }
}
