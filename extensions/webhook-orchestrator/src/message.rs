//! What is sent for a task. It is never in memory as one: the data of thousands of nodes are sent as they are kept, piece by
//! piece, and signed in the same pieces.

use bytes::Bytes;
use rivetgun::prelude::*;
use serde::Serialize;
use std::sync::Arc;

/// The request about a task.
#[derive(Debug)]
pub(crate) struct Message {
    /// Everything before the nodes.
    head: Bytes,
    nodes: Arc<[Node]>,
    documents: Documents,
}

#[derive(Serialize)]
struct Head<'a> {
    task: Uuid,
    work: Work,
    cluster: ClusterView<'a>,
    stops: Option<Uuid>,
    report: &'a str,
}

#[derive(Serialize)]
struct ClusterView<'a> {
    id: i64,
    name: &'a str,
    release: i64,
}

/// A node, as far as it does not stand in its data.
#[derive(Serialize)]
struct NodeView<'a> {
    id: i64,
    uid: Uuid,
    name: &'a str,
    hostname: &'a str,
    fqdn: &'a str,
    mac: &'a MacAddress,
    ip: Option<&'a str>,
    online: bool,
    status: NodeStatus,
    roles: Vec<String>,
}

/// A document as bytes that are sent from where it is.
struct Text {
    documents: Documents,
    /// The node that it is of; of all of them where there is none.
    node: Option<i64>,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        let document = match self.node {
            Some(node) => self.documents.node(node),
            None => Some(self.documents.common()),
        };
        document.map_or("{}", Document::json).as_bytes()
    }
}

/// What a message is called. It is the same whenever the same task is sent, so that who got it before can tell.
pub(crate) fn id_of(task: Uuid) -> String {
    format!("rivetgun_{task}")
}

impl Message {
    pub(crate) fn of(dispatch: &Dispatch, report: &str) -> Result<Self> {
        let Dispatch { task, work, stops, cluster, .. } = dispatch;
        let cluster = ClusterView { id: cluster.id, name: &cluster.name, release: cluster.release };
        let mut head = serde_json::to_vec(&Head { task: *task, work: *work, cluster, stops: *stops, report })?;
        // The nodes and their data follow in the same object.
        head.pop();
        head.extend_from_slice(br#","nodes":["#);
        Ok(Self { head: head.into(), nodes: Arc::clone(&dispatch.nodes), documents: dispatch.documents.clone() })
    }

    /// The body, piece by piece; each time the same.
    pub(crate) fn pieces(self: &Arc<Self>) -> impl Iterator<Item = Bytes> + Send + 'static {
        let (message, of_nodes, of_data) = (Arc::clone(self), Arc::clone(self), Arc::clone(self));
        let nodes = (0..message.nodes.len()).map(move |index| of_nodes.node(index));
        let data = (0..message.nodes.len()).flat_map(move |index| of_data.data(index));
        let between =
            [Bytes::from_static(br#"],"data":{"common":"#), message.text(None), Bytes::from_static(br#","nodes":{"#)];
        let end = [Bytes::from_static(b"}}}")];
        [message.head.clone()].into_iter().chain(nodes).chain(between).chain(data).chain(end)
    }

    fn node(&self, index: usize) -> Bytes {
        let Some(node) = self.nodes.get(index) else { return Bytes::new() };
        let view = NodeView {
            id: node.id,
            uid: node.uuid,
            name: &node.name,
            hostname: &node.hostname,
            fqdn: &node.fqdn,
            mac: &node.mac,
            ip: node.ip.as_deref(),
            online: node.online,
            status: node.status,
            roles: node.all_roles(),
        };
        let comma = if index == 0 { "" } else { "," };
        let mut piece = comma.as_bytes().to_vec();
        // What is made of texts and numbers can always be written to memory.
        drop(serde_json::to_writer(&mut piece, &view));
        piece.into()
    }

    /// The data of a node; nothing for work without data of its own.
    fn data(&self, index: usize) -> impl Iterator<Item = Bytes> + use<> {
        let node = self.nodes.get(index).map(|node| node.id).filter(|id| self.documents.node(*id).is_some());
        // All nodes have data, or none has.
        let comma = if index == 0 { "" } else { "," };
        let pieces = node.map(|id| [Bytes::from(format!("{comma}\"{id}\":")), self.text(Some(id))]);
        pieces.into_iter().flatten()
    }

    fn text(&self, node: Option<i64>) -> Bytes {
        Bytes::from_owner(Text { documents: self.documents.clone(), node })
    }
}
