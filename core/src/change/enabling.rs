//! Extensions are enabled and disabled for a cluster, and for single nodes.
//!
//! What a cluster enables holds for all of its nodes. A node can enable more for itself alone: such an extension is called
//! before work on that node, and its stages see that node's document, but not what all nodes share.

use super::{ChangeTx, clusters};
use crate::{
    error::{Outcome, Refusal},
    extension::HookCall,
    model::{Change, Cluster, Node},
    store,
};

/// Refuses names that no extension of this build has; one may stay that is in `stored` already.
pub(crate) fn check_known(tx: &ChangeTx, names: &[String], stored: &[String]) -> Outcome<()> {
    let missing = tx.server.registry.missing(names.iter().filter(|name| !stored.contains(name)));
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::malformed(format!("no such extensions: {}", missing.join(", "))))
}

/// Refuses work for which extensions are enabled that are not in this build: their hooks and stages would be left out.
pub(crate) fn refuse_missing(tx: &ChangeTx, cluster: &Cluster, nodes: &[Node]) -> Outcome<()> {
    let missing_of_cluster = tx.server.registry.missing(&cluster.extensions);
    let mut told = Vec::new();
    if !missing_of_cluster.is_empty() {
        told.push(format!("{} enabled for cluster '{}'", missing_of_cluster.join(", "), cluster.name));
    }
    for node in nodes {
        let missing = tx.server.registry.missing(&node.extensions);
        if !missing.is_empty() {
            told.push(format!("{} enabled for node {}", missing.join(", "), node.id));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    Err(Refusal::Conflict(format!(
        "{}, but not in this build: disable them, or run a build that has them",
        told.join("; ")
    )))
}

/// Enables these extensions too; the list that comes of it.
pub(crate) async fn enable(tx: &mut ChangeTx, cluster: i64, names: Vec<String>) -> Outcome<Vec<String>> {
    let cluster = clusters::find_locked(tx, cluster).await?;
    check_known(tx, &names, &[])?;
    let mut enabled = cluster.extensions.clone();
    enabled.extend(names);
    set(tx, cluster, enabled).await
}

/// Disables these extensions; the list that comes of it. A name that is not in this build can always be disabled.
pub(crate) async fn disable(tx: &mut ChangeTx, cluster: i64, names: &[String]) -> Outcome<Vec<String>> {
    let cluster = clusters::find_locked(tx, cluster).await?;
    let mut unknown: Vec<&str> =
        names.iter().filter(|name| !cluster.extensions.contains(name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        unknown.sort_unstable();
        return Err(Refusal::malformed(format!("no such extensions to disable: {}", unknown.join(", "))));
    }
    let enabled = cluster.extensions.iter().filter(|name| !names.contains(name)).cloned().collect();
    set(tx, cluster, enabled).await
}

async fn set(tx: &mut ChangeTx, before: Cluster, enabled: Vec<String>) -> Outcome<Vec<String>> {
    let enabled = tx.server.registry.in_order(enabled);
    if enabled == before.extensions {
        return Ok(enabled);
    }
    let after = Cluster { extensions: enabled.clone(), ..before.clone() };
    store::clusters::update(tx, &before, &after).await?;
    let only_in = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|name| !those.contains(name)).cloned().collect()
    };
    tx.fire_for(&only_in(&before.extensions, &enabled), HookCall::ExtensionDisable(&after)).await?;
    tx.fire_for(&only_in(&enabled, &before.extensions), HookCall::ExtensionEnable(&after)).await?;
    tx.fire(HookCall::ClusterUpdate(&after, &Change::between(&before, &after))).await?;
    Ok(enabled)
}
