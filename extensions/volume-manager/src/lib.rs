#![doc = include_str!("../README.md")]

mod changes;
mod defaults;
mod disk;
mod edit;
mod hardware;
mod layouts;
mod m20261121_000001_create_node_volumes;
mod m20261121_000002_take_buffered_volumes;
mod node_volumes;
mod placement_groups;
mod plan;
mod provide;
mod rows;
mod settings;
mod spaces;
mod urls;

#[cfg(test)]
mod tests;

use node_volumes::NodeVolumes;
use placement_groups::PlacementGroups;
use provide::OwnVolumes;
use rivetgun::prelude::*;
use std::sync::Arc;

pub use disk::{Disk, Part};
pub use provide::Volumes;
pub use settings::VolumeSettings;

/// The extension `volume_manager`.
#[derive(Debug, Default)]
pub struct VolumeManager;

#[extension(name = "volume_manager", settings = VolumeSettings)]
impl Extension for VolumeManager {
    fn urls(&self) -> Urls {
        urls! {
            r"/nodes/(?P<node_id>\d+)/disks/?" => get(urls::disks).put(urls::edit),
            r"/nodes/(?P<node_id>\d+)/disks/defaults/?" => get(urls::default_disks),
            r"/nodes/(?P<node_id>\d+)/volumes/?" => get(urls::volumes),
        }
    }

    fn migrations(&self) -> Migrations {
        migrations![m20261121_000001_create_node_volumes, m20261121_000002_take_buffered_volumes]
    }

    fn pipelines(&self) -> Pipelines {
        pipelines![NodeVolumes, PlacementGroups]
    }

    fn provides(&self) -> Provides {
        Provides::new().with::<dyn Volumes>(Arc::new(OwnVolumes))
    }

    async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        changes::renew(cx, std::slice::from_ref(node)).await
    }

    /// A node joins and leaves a cluster by an update as well.
    async fn on_node_update(&self, cx: &HookContext<'_>, node: &Node, change: &Change) -> Result<()> {
        if !changes::concerns(node, change) {
            return Ok(());
        }
        changes::renew(cx, std::slice::from_ref(node)).await
    }

    /// Every path on which nodes are deleted leads here.
    async fn on_node_collection_delete(&self, cx: &HookContext<'_>, node_ids: &[i64]) -> Result<()> {
        rows::forget(cx.db(), node_ids).await
    }

    async fn on_cluster_patch_attributes(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        change: &Change,
    ) -> Result<()> {
        if !changes::concerns_volumes(cx, change) {
            return Ok(());
        }
        changes::renew(cx, &cx.model().nodes_of(cluster.id).await?).await
    }

    async fn on_before_deployment_check(&self, cx: &HookContext<'_>, _cluster: &Cluster, nodes: &[Node]) -> Result<()> {
        changes::check(cx, nodes).await
    }
}
