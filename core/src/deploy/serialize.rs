//! Makes the data of a cluster: what its nodes share, and one document a node.
//!
//! The attributes of people are the data. Beside them stand a few keys that Rivetgun fills in where nobody has set them:
//! `cluster` in the common part, and [`NodeData::KEYS`] in the document of a node. The data for provisioning are made of the
//! object `provision` of the attributes, with the `interfaces` and `disks` that the agent found.

use super::{DataKind, explain::Trace, pipelines};
use crate::{
    change::{clusters::customisation, enabling},
    error::{Outcome, Refusal},
    extension::{ClusterData, NodeData},
    model::{Cluster, Customisation, Node, Object, merge},
    server::Server,
    store,
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Which nodes of a cluster are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    All,
    These(Vec<i64>),
}

/// All that the data of a cluster are made of, read at one moment.
pub(super) struct Source {
    pub(super) cluster: Arc<Cluster>,
    /// The nodes that are meant, in the order of their ids.
    pub(super) nodes: Vec<Node>,
    attributes: Object,
    customisation: Customisation,
}

impl Selection {
    /// The nodes of `members` that are meant.
    pub(crate) fn of(&self, cluster: &Cluster, mut members: Vec<Node>) -> Outcome<Vec<Node>> {
        let Self::These(ids) = self else { return Ok(members) };
        let known: BTreeSet<i64> = members.iter().map(|node| node.id).collect();
        let strangers: Vec<String> = ids.iter().filter(|id| !known.contains(id)).map(ToString::to_string).collect();
        if !strangers.is_empty() {
            let detail = format!("nodes {} do not belong to cluster {}", strangers.join(", "), cluster.id);
            return Err(Refusal::malformed(detail));
        }
        let wanted: BTreeSet<i64> = ids.iter().copied().collect();
        members.retain(|node| wanted.contains(&node.id));
        Ok(members)
    }
}

impl Source {
    /// Reads everything in one snapshot.
    pub(super) async fn read(server: &Server, cluster: i64, kind: DataKind, selection: &Selection) -> Outcome<Self> {
        let snapshot = server.store.snapshot().await?;
        let source = Self::read_from(&snapshot, server, cluster, kind, selection).await;
        snapshot.rollback().await?;
        source
    }

    async fn read_from(
        connection: &impl ConnectionTrait,
        server: &Server,
        id: i64,
        kind: DataKind,
        selection: &Selection,
    ) -> Outcome<Self> {
        let found = store::clusters::find(connection, id).await?;
        let cluster = Arc::new(found.ok_or_else(|| Refusal::unknown("cluster", id))?);
        let members = store::nodes::of_cluster(connection, &server.domain, id).await?;
        let nodes = selection.of(&cluster, members)?;
        let attributes = store::clusters::attributes(connection, id).await?;
        let customisation = customisation(connection, id, kind).await?;
        Ok(Self { cluster, nodes, attributes, customisation })
    }

    /// What the nodes of a cluster share in data of this kind, before any pipeline, as compact JSON.
    pub(super) async fn common(server: &Server, cluster: i64, kind: DataKind) -> Outcome<String> {
        let mut common = of_kind(kind, &store::clusters::attributes(server.store.reader(), cluster).await?);
        merge(&mut common, customisation(server.store.reader(), cluster, kind).await?.common);
        Ok(Value::Object(common).to_string())
    }

    /// The generated data, before any pipeline: without the nodes whose data a person replaced.
    pub(super) fn generate(&self, kind: DataKind) -> ClusterData {
        let mut common = of_kind(kind, &self.attributes);
        let cluster = json!({"id": self.cluster.id, "name": self.cluster.name});
        common.entry("cluster").or_insert(cluster);
        let generated: Vec<Node> =
            self.nodes.iter().filter(|node| !self.customisation.nodes.contains_key(&node.id)).cloned().collect();
        let nodes = generated.iter().map(|node| NodeData::new(node.id, document(kind, node))).collect();
        ClusterData { cluster: Arc::clone(&self.cluster), node_list: generated.into(), common, nodes }
    }

    /// Merges what people typed over the data, after every pipeline.
    pub(super) fn customise(self, mut data: ClusterData) -> ClusterData {
        let Customisation { common, nodes: mut replaced } = self.customisation;
        merge(&mut data.common, common);
        replaced.retain(|id, _| self.nodes.iter().any(|node| node.id == *id));
        let mut nodes: BTreeMap<i64, NodeData> = data.nodes.into_iter().map(|node| (node.id(), node)).collect();
        nodes.extend(replaced.into_iter().map(|(id, document)| (id, NodeData::new(id, document))));
        ClusterData { nodes: nodes.into_values().collect(), node_list: self.nodes.into(), ..data }
    }
}

/// The data as they would be sent, pipelines included and customisation ignored. Writes nothing.
pub(crate) async fn preview(
    server: &Arc<Server>,
    cluster: i64,
    kind: DataKind,
    selection: &Selection,
    trace: &mut Trace,
) -> Outcome<ClusterData> {
    let source = Source::read(server, cluster, kind, selection).await?;
    if let Err(refusal) = enabling::refuse_lacking(&server.registry, &source.cluster, &source.nodes) {
        tracing::warn!(cluster, "{refusal}: these data lack its part, and would not be sent");
    }
    let source = Source { customisation: Customisation::default(), ..source };
    Ok(pipelines::run(server, kind, source.generate(kind), trace).await?)
}

/// The part of the attributes that data of this kind are made of.
fn of_kind(kind: DataKind, attributes: &Object) -> Object {
    match kind {
        DataKind::Deployment => attributes.clone(),
        DataKind::Provisioning => attributes.get("provision").and_then(Value::as_object).cloned().unwrap_or_default(),
    }
}

fn document(kind: DataKind, node: &Node) -> Object {
    let mut document = of_kind(kind, &node.attributes);
    let filled_in = [
        Some(Value::from(node.id.to_string())),
        Some(Value::from(node.name.clone())),
        Some(Value::from(node.hostname.clone())),
        Some(Value::from(node.fqdn.clone())),
        Some(Value::from(node.mac.as_str())),
        node.ip.clone().map(Value::from),
        Some(Value::from(node.all_roles())),
    ];
    let mut fill_in = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            document.entry(key).or_insert(value);
        }
    };
    for (key, value) in NodeData::KEYS.into_iter().zip(filled_in) {
        fill_in(key, node.attributes.get(key).cloned().or(value));
    }
    if kind == DataKind::Provisioning {
        for hardware in ["interfaces", "disks"] {
            fill_in(hardware, node.meta.get(hardware).cloned());
        }
    }
    document
}
