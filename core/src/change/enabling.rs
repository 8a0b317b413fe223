//! Extensions are enabled and disabled for a cluster, and for single nodes.
//!
//! What a cluster enables holds for all of its nodes. A node can enable more for itself alone: such an extension is called
//! before work on that node, and its stages see that node's document, but not what all nodes share.

use super::{ChangeTx, clusters};
use crate::{
    error::{Outcome, Refusal},
    extension::HookCall,
    model::{Change, Cluster, Node},
    registry::{Lack, Registry},
    store,
};
use std::collections::BTreeMap;

/// Refuses names that no extension of this build has; one may stay that is in `stored` already.
pub(crate) fn check_known(tx: &ChangeTx, names: &[String], stored: &[String]) -> Outcome<()> {
    let missing = tx.server.registry.missing(names.iter().filter(|name| !stored.contains(name)));
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::malformed(format!("no such extensions: {}", missing.join(", "))))
}

/// Refuses work for which extensions are enabled that are not in this build, not active, or have failed: their hooks and
/// stages would be left out.
pub(crate) fn refuse_lacking(registry: &Registry, cluster: &Cluster, nodes: &[Node]) -> Outcome<()> {
    let mut told = BTreeMap::<Lack, Vec<String>>::new();
    let mut tell = |enabled: &[String], place: &str| {
        let mut names = BTreeMap::<Lack, Vec<String>>::new();
        for (name, lack) in registry.lacking(enabled) {
            names.entry(lack).or_default().push(name);
        }
        for (lack, names) in names {
            told.entry(lack).or_default().push(format!("{} enabled for {place}", names.join(", ")));
        }
    };
    tell(&cluster.extensions, &format!("cluster '{}'", cluster.name));
    for node in nodes {
        tell(&node.extensions, &format!("node {}", node.id));
    }
    if told.is_empty() {
        return Ok(());
    }
    let told = told.into_iter().map(|(lack, places)| format!("{}, but {}", places.join("; "), lack.advice()));
    Err(Refusal::Conflict(told.collect::<Vec<_>>().join("; ")))
}

/// Refuses to enable what has failed: it would never hear that it was enabled.
fn refuse_failed(registry: &Registry, names: &[String]) -> Outcome<()> {
    let failed: Vec<String> = registry.lacking(names).into_keys().collect();
    if failed.is_empty() {
        return Ok(());
    }
    let (failed, advice) = (failed.join(", "), "`GET /extensions` tells why; mend that and start the server anew");
    Err(Refusal::Conflict(format!("{failed} cannot be enabled, having failed: {advice}")))
}

/// Enables these extensions too; the list that comes of it.
pub(crate) async fn enable(tx: &mut ChangeTx, cluster: i64, names: Vec<String>) -> Outcome<Vec<String>> {
    let cluster = clusters::find_locked(tx, cluster).await?;
    check_known(tx, &names, &[])?;
    let new: Vec<String> = names.iter().filter(|name| !cluster.extensions.contains(name)).cloned().collect();
    refuse_failed(&tx.server.registry, &new)?;
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
