//! Logs node and cluster events, and stamps outgoing data with the time at which the work started.
//!
//! The example of the documentation of Nailgun's extensions, complete: hooks, a table, URLs, a pipeline, settings.

mod entries;
mod m20261121_000001_create_entries;
mod time_started;

use entries::Subject;
use rivetgun::prelude::*;
use time_started::TimeStarted;

/// The extension `additional_logger`.
#[derive(Debug, Default)]
pub struct AdditionalLogger;

/// The section `[extensions.additional_logger]`.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(default)]
pub struct LoggerSettings {
    /// How many entries one answer holds at most.
    page_size: u64,
}

impl Default for LoggerSettings {
    fn default() -> Self {
        Self { page_size: 1000 }
    }
}

#[extension(name = "additional_logger", settings = LoggerSettings)]
impl Extension for AdditionalLogger {
    fn urls(&self) -> Urls {
        urls! {
            r"/additional_logger/(?P<node_id>\d+)/?" => get(entries::of_node).delete(entries::forget_node),
            r"/additional_logger/clusters/(?P<cluster_id>\d+)/?" => get(entries::of_cluster),
        }
    }

    fn migrations(&self) -> Migrations {
        migrations![m20261121_000001_create_entries]
    }

    fn pipelines(&self) -> Pipelines {
        pipelines![TimeStarted]
    }

    async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        entries::record(cx, Subject::Node(node.id), "created").await
    }

    async fn on_node_update(&self, cx: &HookContext<'_>, node: &Node, change: &Change) -> Result<()> {
        let fields: Vec<&str> = change.iter().map(|(field, _)| field).collect();
        entries::record(cx, Subject::Node(node.id), &format!("updated: {}", fields.join(", "))).await
    }

    async fn on_node_reset(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        entries::record(cx, Subject::Node(node.id), "reset").await
    }

    async fn on_node_delete(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        entries::record(cx, Subject::Node(node.id), "deleted").await
    }

    async fn on_node_collection_delete(&self, _cx: &HookContext<'_>, node_ids: &[i64]) -> Result<()> {
        tracing::debug!(?node_ids, "nodes are deleted");
        Ok(())
    }

    async fn on_cluster_delete(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
        entries::record(cx, Subject::Cluster(cluster.id), "deleted").await
    }

    async fn on_before_deployment_check(&self, cx: &HookContext<'_>, cluster: &Cluster, nodes: &[Node]) -> Result<()> {
        let event = format!("about to be worked on, {} nodes", nodes.len());
        entries::record(cx, Subject::Cluster(cluster.id), &event).await
    }
}
