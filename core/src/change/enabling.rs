//! Extensions are enabled and disabled for a cluster.

use super::{ChangeTx, clusters};
use crate::{
    error::{Outcome, Refusal},
    extension::HookCall,
    model::{Change, Cluster},
    store,
};

/// Refuses names that no extension of this build has; a name may stay that is stored already.
pub(crate) fn check_known(tx: &ChangeTx, names: &[String]) -> Outcome<()> {
    let missing = tx.server.registry.missing(names);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::malformed(format!("no such extensions: {}", missing.join(", "))))
}

/// Enables these extensions too; the list that comes of it.
pub(crate) async fn enable(tx: &mut ChangeTx, cluster: i64, names: Vec<String>) -> Outcome<Vec<String>> {
    let cluster = clusters::find_locked(tx, cluster).await?;
    check_known(tx, &names)?;
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
    store::clusters::update(&**tx, &after).await?;
    let only_in = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|name| !those.contains(name)).cloned().collect()
    };
    tx.fire_for(&only_in(&before.extensions, &enabled), HookCall::ExtensionDisable(&after)).await?;
    tx.fire_for(&only_in(&enabled, &before.extensions), HookCall::ExtensionEnable(&after)).await?;
    tx.fire(HookCall::ClusterUpdate(&after, &Change::between(&before, &after))).await?;
    Ok(enabled)
}
