//! What other extensions can ask for.

use crate::{VolumeManager, disk::Disk, layouts::Layouts};
use rivetgun::prelude::*;

/// The layouts of nodes, for other extensions: `cx.provider::<dyn Volumes>()?.call(|volumes, cx| volumes.get(cx, node))`.
///
/// To write, the caller holds the node: in its hooks, or by [`DbTransaction::lock_node`].
#[async_trait]
pub trait Volumes: Send + Sync {
    /// The layout of a node.
    ///
    /// # Errors
    /// When its disks make no sense; what the database says.
    async fn get(&self, cx: &CallContext, node: &Node) -> Result<Vec<Disk>>;

    /// Makes a layout that of a node, as if a person had edited it. Disks and volumes that are not named stay as they are.
    ///
    /// # Errors
    /// What makes no sense, all of it at once; what the database says.
    async fn set(&self, cx: &CallContext, node: &Node, disks: Vec<Disk>) -> Result<()>;

    /// Makes the layout of a node follow its disks and roles again.
    ///
    /// # Errors
    /// When its disks make no sense; what the database says.
    async fn set_default(&self, cx: &CallContext, node: &Node) -> Result<()>;
}

/// The layouts of this extension.
pub(crate) struct OwnVolumes;

#[async_trait]
impl Volumes for OwnVolumes {
    async fn get(&self, cx: &CallContext, node: &Node) -> Result<Vec<Disk>> {
        layouts(cx).disks(node).await
    }

    async fn set(&self, cx: &CallContext, node: &Node, disks: Vec<Disk>) -> Result<()> {
        layouts(cx).edit(node, disks.into_iter().map(Into::into).collect()).await.map(drop)
    }

    async fn set_default(&self, cx: &CallContext, node: &Node) -> Result<()> {
        layouts(cx).forget_edits(node).await
    }
}

fn layouts(cx: &CallContext) -> Layouts<'_> {
    Layouts { db: cx.db(), model: cx.model(), settings: cx.settings::<VolumeManager>() }
}
