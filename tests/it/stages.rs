//! The pipelines of the tests' extensions: each leaves a trail, and misbehaves when the name of the cluster, or of the
//! node, says so: `process_deployment: panic`.

use crate::probe::wanted_in;
use rivetgun::prelude::*;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The first pipeline of `probe`; the only one that prepares.
pub(crate) struct Mark;

/// The second pipeline of `probe`.
pub(crate) struct Second;

/// The pipeline of `bystander`, which runs last and notes what it was given.
pub(crate) struct Witness;

/// What [`Mark`] prepares. Each preparation has a number of its own.
struct Preparation {
    number: u64,
    secret: Value,
    nodes: Vec<i64>,
}

static PREPARATIONS: AtomicU64 = AtomicU64::new(0);

#[pipeline]
impl Pipeline for Mark {
    async fn prepare(&self, cx: &PrepareContext, cluster: &Cluster, nodes: &[Node]) -> Result<Prepared> {
        if wanted_in("prepare", &cluster.name) == Some("hang") {
            std::future::pending::<()>().await;
        }
        behave("prepare", &cluster.name)?;
        let attributes = cx.model().attributes(cluster.id).await?;
        Ok(Prepared::new(Preparation {
            number: PREPARATIONS.fetch_add(1, Ordering::Relaxed),
            secret: attributes.get("secret").cloned().unwrap_or_default(),
            nodes: nodes.iter().map(|node| node.id).collect(),
        }))
    }

    fn process_provisioning(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        mark(cx, "process_provisioning", data)
    }

    fn process_deployment(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        mark(cx, "process_deployment", data)
    }

    fn process_provisioning_for_node(&self, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
        mark_node(cx, "process_provisioning_for_node", node, data)
    }

    fn process_deployment_for_node(&self, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
        mark_node(cx, "process_deployment_for_node", node, data)
    }
}

#[pipeline]
impl Pipeline for Second {
    fn process_deployment(&self, _cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        push(data.common_mut(), "trail", "probe/Second");
        Ok(())
    }

    fn process_deployment_for_node(&self, _cx: &PipelineContext, _node: &Node, data: &mut NodeData) -> Result<()> {
        push(data, "node_trail", "probe/Second");
        Ok(())
    }
}

#[pipeline(name = "TheWitness")]
impl Pipeline for Witness {
    fn process_deployment(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        push(data.common_mut(), "trail", "bystander/TheWitness");
        let documents: Vec<i64> = data.nodes().iter().map(NodeData::id).collect();
        let listed: Vec<i64> = data.node_list().iter().map(|node| node.id).collect();
        let cluster = data.cluster().name.clone();
        assert_eq!(cx.cluster().name, cluster);
        data.common_mut().insert("witness".into(), json!({"documents": documents, "listed": listed}));
        data.common_mut().insert("typed".into(), "by a pipeline".into());
        for node in data.nodes_mut() {
            node.insert("typed_for_node".into(), "by a pipeline".into());
        }
        Ok(())
    }
}

fn mark(cx: &PipelineContext, method: &str, data: &mut ClusterData) -> Result<()> {
    let Preparation { number, secret, nodes } = cx.prepared::<Preparation>()?;
    let prepared = json!({"number": number, "secret": secret, "nodes": nodes});
    push(data.common_mut(), "trail", "probe/Mark");
    data.common_mut().insert("prepared".into(), prepared);
    behave(method, &cx.cluster().name)
}

fn mark_node(cx: &PipelineContext, method: &str, node: &Node, data: &mut NodeData) -> Result<()> {
    push(data, "node_trail", "probe/Mark");
    data.insert("prepared_number".into(), cx.prepared::<Preparation>()?.number.into());
    data.insert("own_name".into(), node.name.clone().into());
    behave(method, &cx.cluster().name)?;
    behave(method, &node.name)
}

fn behave(method: &str, name: &str) -> Result<()> {
    match wanted_in(method, name) {
        Some("error") => Err(Error::failed("the inner secret of the stage")),
        Some("invalid") => Err(Error::invalid("the attribute `disk` is missing")),
        Some("panic") => panic!("the inner secret of the stage"),
        // Nothing can interrupt it: it holds its thread until it returns.
        Some("block") => {
            std::thread::park_timeout(Duration::from_secs(5));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn push(document: &mut Object, key: &str, entry: &str) {
    if let Value::Array(list) = document.entry(key).or_insert_with(|| json!([])) {
        list.push(entry.into());
    }
}
