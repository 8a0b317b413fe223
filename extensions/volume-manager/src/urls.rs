//! `/nodes/{node_id}/disks` and `/nodes/{node_id}/volumes`: the layout of a node, to read and to edit.

use crate::{VolumeManager, disk::Disk, edit::GivenDisk, layouts::Layouts, plan};
use rivetgun::prelude::*;
use serde::Serialize;

/// A volume that the roles of a node want.
#[derive(Debug, Serialize)]
pub(crate) struct VolumeInfo {
    name: String,
    label: String,
    /// In MiB.
    min_size: u64,
}

/// The layout of a node.
pub(crate) async fn disks(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<Json<Vec<Disk>>> {
    let node = find(&cx, node_id).await?;
    layouts(&cx).disks(&node).await.map(Json)
}

/// The layout of a node as it would be if nobody had edited it.
pub(crate) async fn default_disks(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<Json<Vec<Disk>>> {
    let node = find(&cx, node_id).await?;
    layouts(&cx).default_disks(&node).await.map(Json)
}

/// Edits the layout of a node; the layout that it has then.
pub(crate) async fn edit(
    cx: ExtensionContext,
    Path(node_id): Path<i64>,
    Json(given): Json<Vec<GivenDisk>>,
) -> Result<Json<Vec<Disk>>> {
    let mut tx = cx.transaction().await?;
    let node = tx.lock_node(node_id).await?.ok_or_else(|| unknown(node_id))?;
    if matches!(node.status, NodeStatus::Provisioning | NodeStatus::Deploying | NodeStatus::Removing) {
        let detail = format!("node {node_id} is {}; its disks can be changed when that has ended", node.status);
        return Err(Error::conflict(detail));
    }
    if let Some(cluster) = node.cluster {
        tx.refuse_while_a_task_runs(cluster).await?;
    }
    let layouts = Layouts { db: &tx, model: tx.model(), settings: cx.settings::<VolumeManager>() };
    let disks = layouts.edit(&node, given).await?;
    if let Some(cluster) = node.cluster {
        tx.note_change(cluster, "disks");
    }
    tx.commit().await?;
    Ok(Json(disks))
}

/// The volumes that the roles of a node want.
pub(crate) async fn volumes(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<Json<Vec<VolumeInfo>>> {
    let node = find(&cx, node_id).await?;
    if node.cluster.is_none() {
        return Err(Error::not_found("Cannot calculate volumes info. Please, add node to an environment."));
    }
    let plan = layouts(&cx).plan(&node).await?;
    let info = |wanted: &plan::Wanted<'_>| VolumeInfo {
        name: wanted.id.to_owned(),
        label: wanted.volume.label.clone(),
        min_size: plan.min_size(wanted.volume),
    };
    Ok(Json(plan.wanted.iter().map(info).collect()))
}

fn layouts(cx: &ExtensionContext) -> Layouts<'_> {
    Layouts { db: cx.db(), model: cx.model(), settings: cx.settings::<VolumeManager>() }
}

async fn find(cx: &ExtensionContext, id: i64) -> Result<Node> {
    cx.model().node(id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: i64) -> Error {
    Error::not_found(format!("node {id} does not exist"))
}
