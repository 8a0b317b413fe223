//! What the hooks do: layouts follow the disks and the roles of their nodes.

use crate::{
    VolumeManager,
    disk::Disk,
    layouts::{Layouts, Renewal},
    plan::Plan,
    spaces,
};
use rivetgun::prelude::*;
use std::collections::BTreeSet;

/// Makes the layouts of nodes of one cluster anew. That this fails is told, and stops nobody.
///
/// A node that is being worked on keeps its layout: it was sent already, and the disks are written by it.
pub(crate) async fn renew(cx: &HookContext<'_>, nodes: &[Node]) -> Result<()> {
    let is_idle = |node: &&Node| !matches!(node.status, NodeStatus::Provisioning | NodeStatus::Deploying);
    let nodes: Vec<Node> = nodes.iter().filter(is_idle).cloned().collect();
    let nodes = nodes.as_slice();
    let renewals = match cx.db().attempt(layouts(cx).renew(nodes)).await? {
        Ok(renewals) => renewals,
        Err(error) => {
            tracing::error!(%error, "layouts are not renewed");
            let reason = error.public();
            nodes.iter().map(|_| Renewal::Failed(Error::invalid(reason.clone()))).collect()
        }
    };
    for (node, renewal) in nodes.iter().zip(renewals) {
        match renewal {
            Renewal::Made => {}
            Renewal::Kept => {
                let message = format!(
                    "The volumes of node '{}' stay as they were edited, though its disks or roles changed",
                    node.name
                );
                cx.notify(Topic::Warning, message, Some(node)).await?;
            }
            Renewal::Failed(error) => {
                let message = format!("Failed to generate volumes for node '{}': '{}'", node.name, error.public());
                cx.notify(Topic::Error, message, Some(node)).await?;
            }
        }
    }
    Ok(())
}

/// Whether an update changed what the layout of a node is made of: its cluster, its roles, its disks, its memory.
pub(crate) fn concerns(node: &Node, change: &Change) -> bool {
    let roles_before = |field: &str, now: &[String]| match change.get(field) {
        Some(change) => texts(&change.old),
        None => now.to_vec(),
    };
    let before: BTreeSet<String> = roles_before("roles", &node.roles)
        .into_iter()
        .chain(roles_before("pending_roles", &node.pending_roles))
        .collect();
    // A deployment makes what was pending the roles of the node, which changes nothing here.
    before != node.all_roles().into_iter().collect()
        || change.contains("cluster")
        || change
            .get("meta")
            .is_some_and(|meta| ["disks", "memory"].into_iter().any(|part| meta.old.get(part) != meta.new.get(part)))
}

/// Whether a change of the attributes of a cluster reaches one that a volume depends on.
pub(crate) fn concerns_volumes(cx: &HookContext<'_>, change: &Change) -> bool {
    let volumes = cx.settings::<VolumeManager>().volumes.values();
    volumes.filter_map(|volume| volume.unless.as_ref()?.split('.').next()).any(|key| change.contains(key))
}

/// Refuses work on nodes whose disks do not hold what they need. What is on a disk already needs no check.
pub(crate) async fn check(cx: &HookContext<'_>, nodes: &[Node]) -> Result<()> {
    let is_to_be_written =
        |node: &&Node| !matches!(node.status, NodeStatus::Ready | NodeStatus::Deploying | NodeStatus::Provisioned);
    let nodes: Vec<Node> = nodes.iter().filter(is_to_be_written).cloned().collect();
    let stored = layouts(cx).of(&nodes).await?;
    let plans = layouts(cx).plans(&nodes).await?;
    let objections: Vec<String> = nodes
        .iter()
        .zip(plans)
        .filter_map(|(node, plan)| objection(node, plan, stored.get(&node.id).map(spaces::disks)))
        .collect();
    if objections.is_empty() { Ok(()) } else { Err(veto(objections.join("\n"))) }
}

/// Why the disks of a node cannot be written.
fn objection(node: &Node, plan: Result<Plan<'_>>, disks: Option<Vec<Disk>>) -> Option<String> {
    match plan.ok().zip(disks) {
        Some((plan, disks)) if plan.splits_the_system(&disks) => {
            Some(format!("Base system of node '{}' should be allocated on one disk only", node.name))
        }
        Some((plan, disks)) if plan.suffices(&disks) => None,
        _ => Some(format!("Node '{}' has insufficient disk space", node.name)),
    }
}

fn layouts<'a>(cx: &'a HookContext<'_>) -> Layouts<'a> {
    Layouts { db: cx.db(), model: cx.model(), settings: cx.settings::<VolumeManager>() }
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
