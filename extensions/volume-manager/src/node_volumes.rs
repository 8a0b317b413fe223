//! The stages that put the layout of each node into its documents.

use crate::{VolumeManager, layouts::Layouts, spaces};
use rivetgun::prelude::*;
use std::collections::BTreeMap;

const MIB: u64 = 1 << 20;
/// The cache of images has a tenth of their volume, and no less than this.
const LEAST_CACHE: u64 = 5 * 1024 * MIB;

/// Provisioning: `ks_meta.pm_data.ks_spaces`. Deployment: `node_volumes`, and on nodes that keep images
/// `glance.image_cache_max_size`.
///
/// These keys are the extension's: what they hold is replaced, whoever set it, where a node has a layout. A node without
/// disks keeps what it has.
pub(crate) struct NodeVolumes;

/// The layouts of the nodes, by id.
struct ByNode(BTreeMap<i64, Value>);

#[pipeline]
impl Pipeline for NodeVolumes {
    async fn prepare(&self, cx: &PrepareContext, _cluster: &Cluster, nodes: &[Node]) -> Result<Prepared> {
        let layouts = Layouts { db: cx.db(), model: cx.model(), settings: cx.settings::<VolumeManager>() };
        let mut layouts = layouts.of(nodes).await?;
        layouts.retain(|_, layout| !spaces::disks(layout).is_empty());
        Ok(Prepared::new(ByNode(layouts)))
    }

    fn process_provisioning_for_node(&self, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
        let ByNode(layouts) = cx.prepared()?;
        let Some(layout) = layouts.get(&node.id) else { return Ok(()) };
        let pm_data = object_in(object_in(data, "ks_meta")?, "pm_data")?;
        pm_data.insert("ks_spaces".into(), layout.clone());
        Ok(())
    }

    fn process_deployment_for_node(&self, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
        let ByNode(layouts) = cx.prepared()?;
        let Some(layout) = layouts.get(&node.id) else { return Ok(()) };
        data.insert("node_volumes".into(), layout.clone());
        if let Some(size) = image_cache(layout) {
            object_in(data, "glance")?.insert("image_cache_max_size".into(), size.to_string().into());
        }
        Ok(())
    }
}

/// The size of the cache of images, in bytes.
fn image_cache(layout: &Value) -> Option<u64> {
    let images: u64 = spaces::disks(layout).iter().map(|disk| disk.size_of("image")).sum();
    (images > 0).then(|| (images.saturating_mul(MIB) / 10).max(LEAST_CACHE))
}

fn object_in<'a>(data: &'a mut Object, key: &str) -> Result<&'a mut Object> {
    let value = data.entry(key).or_insert_with(|| json!({}));
    value.as_object_mut().ok_or_else(|| Error::invalid(format!("`{key}` must be an object, to put volumes into it")))
}
