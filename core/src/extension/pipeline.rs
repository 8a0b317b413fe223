//! Pipelines: what changes the data of a cluster on their way to the orchestrator.

use super::{ClusterData, DescribedPipeline, NodeData, PipelineContext, PipelineMetadata, PrepareContext, Result};
use crate::{
    deploy::DataKind,
    model::{Cluster, Node},
};
use futures_util::future::BoxFuture;
use std::{any::Any, fmt, future::Future, sync::Arc};

/// A stage, or several, that change the outgoing data of the clusters for which the extension is enabled.
///
/// The methods get data that nobody else holds, and an error, a panic or a time-out throws all of it away: nothing was
/// sent then, and nothing changed. They are plain functions, so that the nodes can be worked on in parallel; what must
/// be read, from the database or from files, is read in [`Pipeline::prepare`], once for all nodes.
///
/// ```
/// use rivetgun::prelude::*;
///
/// struct Stamp;
///
/// /// What it reads once, for all nodes.
/// struct Site(String);
///
/// #[pipeline]
/// impl Pipeline for Stamp {
///     async fn prepare(&self, cx: &PrepareContext, cluster: &Cluster, _nodes: &[Node]) -> Result<Prepared> {
///         let attributes = cx.model().attributes(cluster.id).await?;
///         let site = attributes.get("site").and_then(|site| site.as_str());
///         Ok(Prepared::new(Site(site.unwrap_or("nowhere").to_owned())))
///     }
///
///     fn process_deployment_for_node(&self, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
///         let Site(site) = cx.prepared()?;
///         data.insert("stamp".into(), format!("{} in {site} at {}", node.name, cx.now().to_rfc3339()).into());
///         Ok(())
///     }
/// }
/// ```
pub trait Pipeline: DescribedPipeline + Send + Sync + 'static {
    /// Reads what the other methods need, once for a serialization; [`PipelineContext::prepared`] gives it to them. It is not
    /// called for data of a kind that the pipeline has no stage for.
    fn prepare(
        &self,
        _cx: &PrepareContext,
        _cluster: &Cluster,
        _nodes: &[Node],
    ) -> impl Future<Output = Result<Prepared>> + Send {
        async { Ok(Prepared::nothing()) }
    }

    /// Changes the provisioning data of the whole cluster.
    ///
    /// # Errors
    /// Whatever stops the task. The text of [`Error::invalid`](super::Error::invalid) and its like becomes the task's
    /// message; that of any other error stays in the log.
    fn process_provisioning(&self, _cx: &PipelineContext, _data: &mut ClusterData) -> Result<()> {
        Ok(())
    }

    /// Changes the deployment data of the whole cluster.
    ///
    /// # Errors
    /// Whatever stops the task. The text of [`Error::invalid`](super::Error::invalid) and its like becomes the task's
    /// message; that of any other error stays in the log.
    fn process_deployment(&self, _cx: &PipelineContext, _data: &mut ClusterData) -> Result<()> {
        Ok(())
    }

    /// Changes the provisioning data of one node; runs after [`Pipeline::process_provisioning`], in parallel over nodes.
    ///
    /// # Errors
    /// Whatever stops the task. The text of [`Error::invalid`](super::Error::invalid) and its like becomes the task's
    /// message; that of any other error stays in the log.
    fn process_provisioning_for_node(&self, _cx: &PipelineContext, _node: &Node, _data: &mut NodeData) -> Result<()> {
        Ok(())
    }

    /// Changes the deployment data of one node; runs after [`Pipeline::process_deployment`], in parallel over nodes.
    ///
    /// # Errors
    /// Whatever stops the task. The text of [`Error::invalid`](super::Error::invalid) and its like becomes the task's
    /// message; that of any other error stays in the log.
    fn process_deployment_for_node(&self, _cx: &PipelineContext, _node: &Node, _data: &mut NodeData) -> Result<()> {
        Ok(())
    }
}

/// What [`Pipeline::prepare`] read, of whatever type.
#[derive(Clone)]
pub struct Prepared(Arc<dyn Any + Send + Sync>);

impl Prepared {
    /// Holds a value for the stages.
    #[must_use]
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// What a pipeline without [`Pipeline::prepare`] has.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(())
    }

    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Prepared(..)")
    }
}

/// The pipelines of an extension, in the order in which they run. [`pipelines!`](crate::pipelines) makes it.
#[derive(Default)]
pub struct Pipelines(Vec<Arc<dyn DynPipeline>>);

impl Pipelines {
    /// No pipelines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These pipelines and, after them, one more.
    #[must_use]
    pub fn with(mut self, pipeline: impl Pipeline) -> Self {
        self.0.push(Arc::new(pipeline));
        self
    }

    pub(crate) fn into_vec(self) -> Vec<Arc<dyn DynPipeline>> {
        self.0
    }
}

impl fmt::Debug for Pipelines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|pipeline| pipeline.metadata().name)).finish()
    }
}

/// One of the functions of a pipeline that change data.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// Over the data of the cluster.
    Whole(DataKind),
    /// Over the documents of these nodes, which are in the order of their ids.
    EachNode(DataKind, Arc<[Node]>),
}

impl Stage {
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::Whole(DataKind::Provisioning) => "process_provisioning",
            Self::Whole(DataKind::Deployment) => "process_deployment",
            Self::EachNode(DataKind::Provisioning, _) => "process_provisioning_for_node",
            Self::EachNode(DataKind::Deployment, _) => "process_deployment_for_node",
        }
    }
}

/// The object-safe twin of [`Pipeline`], implemented once for all of them. Only `contain` calls it.
pub(crate) trait DynPipeline: Send + Sync {
    fn metadata(&self) -> &'static PipelineMetadata;
    fn prepare<'a>(
        &'a self,
        cx: &'a PrepareContext,
        cluster: &'a Cluster,
        nodes: &'a [Node],
    ) -> BoxFuture<'a, Result<Prepared>>;
    fn process(&self, kind: DataKind, cx: &PipelineContext, data: &mut ClusterData) -> Result<()>;
    fn process_for_node(&self, kind: DataKind, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()>;
}

impl<P: Pipeline> DynPipeline for P {
    fn metadata(&self) -> &'static PipelineMetadata {
        P::METADATA
    }

    fn prepare<'a>(
        &'a self,
        cx: &'a PrepareContext,
        cluster: &'a Cluster,
        nodes: &'a [Node],
    ) -> BoxFuture<'a, Result<Prepared>> {
        Box::pin(Pipeline::prepare(self, cx, cluster, nodes))
    }

    fn process(&self, kind: DataKind, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        match kind {
            DataKind::Provisioning => self.process_provisioning(cx, data),
            DataKind::Deployment => self.process_deployment(cx, data),
        }
    }

    fn process_for_node(&self, kind: DataKind, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
        match kind {
            DataKind::Provisioning => self.process_provisioning_for_node(cx, node, data),
            DataKind::Deployment => self.process_deployment_for_node(cx, node, data),
        }
    }
}
