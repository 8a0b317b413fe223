//! Nodes join clusters and leave them.

use super::{ChangeTx, clusters, groups, nodes, releases};
use crate::{
    error::{Mistake, Outcome, Refusal},
    extension::HookCall,
    model::{Cluster, Node, NodeStatus, without_repetition},
    store,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A node to be assigned, with its roles.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    /// The id of the node.
    pub(crate) id: i64,
    /// The roles that the next deployment gives it.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

/// A node to be unassigned.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unassignment {
    /// The id of the node.
    pub(crate) id: i64,
}

/// Puts nodes into a cluster, or gives those that are in it other pending roles.
pub(crate) async fn assign(tx: &mut ChangeTx, cluster: i64, wanted: Vec<Assignment>) -> Outcome<()> {
    let cluster = clusters::find_locked(tx, cluster).await?;
    let ids: Vec<i64> = wanted.iter().map(|assignment| assignment.id).collect();
    refuse_repetition(&ids)?;
    let release = releases::find(tx, cluster.release).await?;
    let default_group = groups::default_of(tx, cluster.id).await?;
    let mut found = by_id(tx, &ids).await?;
    for (index, Assignment { id, roles }) in wanted.into_iter().enumerate() {
        releases::check_roles(&release, &roles, &format!("/{index}/roles"))?;
        let before = found.remove(&id).ok_or_else(|| Refusal::unknown("node", id))?;
        match before.cluster {
            Some(other) if other != cluster.id => {
                return Err(Refusal::Conflict(format!(
                    "node {id} is assigned to cluster {other}; unassign it there first"
                )));
            }
            already => {
                let mut after = before.clone();
                after.cluster = Some(cluster.id);
                after.group_id = before.group_id.or(Some(default_group));
                after.pending_roles = without_repetition(roles);
                after.pending_addition = already.is_none() || before.pending_addition;
                after.pending_deletion = false;
                nodes::refuse_taken_hostname(tx, &after).await?;
                nodes::save(tx, &before, &after).await?;
                if already.is_none() {
                    tx.fire(HookCall::NodeAssign(&after, &cluster)).await?;
                }
            }
        }
    }
    clusters::note_changes(tx, cluster.id, &["nodes"]).await
}

/// Puts nodes without roles into a cluster; those that are in it already stay as they are.
pub(crate) async fn assign_all(tx: &mut ChangeTx, cluster: &Cluster, ids: &[i64]) -> Outcome<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let wanted = ids.iter().map(|&id| Assignment { id, roles: Vec::new() }).collect();
    assign(tx, cluster.id, wanted).await
}

/// Makes these nodes, and no others, the nodes of a cluster.
pub(crate) async fn replace(tx: &mut ChangeTx, cluster: &Cluster, ids: &[i64]) -> Outcome<()> {
    let domain = tx.domain();
    let members = store::nodes::of_cluster(&**tx, &domain, cluster.id).await?;
    let is_member = |id: &i64| members.iter().any(|node| node.id == *id);
    let joining: Vec<i64> = ids.iter().filter(|id| !is_member(id)).copied().collect();
    let leaving =
        members.iter().filter(|node| !ids.contains(&node.id)).map(|node| Unassignment { id: node.id }).collect();
    unassign(tx, cluster.id, leaving).await?;
    assign_all(tx, cluster, &joining).await
}

/// Takes nodes out of a cluster: one that nothing was done to leaves at once, another is marked to be removed.
pub(crate) async fn unassign(tx: &mut ChangeTx, cluster: i64, wanted: Vec<Unassignment>) -> Outcome<()> {
    let cluster = clusters::find_locked(tx, cluster).await?;
    let ids: Vec<i64> = wanted.iter().map(|unassignment| unassignment.id).collect();
    refuse_repetition(&ids)?;
    let mut found = by_id(tx, &ids).await?;
    let mut mistakes = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let node = found.get(id).ok_or_else(|| Refusal::unknown("node", id))?;
        if node.cluster != Some(cluster.id) {
            let detail = format!("node {id} is not in cluster {}", cluster.id);
            mistakes.push(Mistake { pointer: format!("/{index}/id"), detail });
        }
    }
    if !mistakes.is_empty() {
        return Err(Refusal::mistakes(mistakes));
    }
    let is_free = |id: &&i64| found.get(id).is_some_and(|node| node.status == NodeStatus::Discover);
    let leaving: Vec<i64> = ids.iter().filter(is_free).copied().collect();
    clusters::forget_customisation(tx, &cluster, &leaving).await?;
    for id in &ids {
        let Some(before) = found.remove(id) else { continue };
        if before.status == NodeStatus::Discover {
            leave(tx, &cluster, &before).await?;
        } else {
            let after = Node { pending_deletion: true, ..before.clone() };
            nodes::save(tx, &before, &after).await?;
        }
    }
    if ids.is_empty() { Ok(()) } else { clusters::note_changes(tx, cluster.id, &["nodes"]).await }
}

/// A node leaves its cluster: what it had there is forgotten, but for its customisation, which
/// [`clusters::forget_customisation`] forgets for all that leave at the same time.
pub(crate) async fn leave(tx: &mut ChangeTx, cluster: &Cluster, before: &Node) -> Outcome<Node> {
    tx.fire(HookCall::RemoveNodeFromCluster(before, cluster)).await?;
    let after = Node {
        cluster: None,
        group_id: None,
        roles: Vec::new(),
        pending_roles: Vec::new(),
        pending_addition: false,
        pending_deletion: false,
        ..before.clone()
    };
    nodes::save(tx, before, &after).await?;
    Ok(after)
}

async fn by_id(tx: &ChangeTx, ids: &[i64]) -> Outcome<BTreeMap<i64, Node>> {
    let domain = tx.domain();
    let found = store::nodes::find_all_locked(&**tx, &domain, ids).await?;
    Ok(found.into_iter().map(|node| (node.id, node)).collect())
}

fn refuse_repetition(ids: &[i64]) -> Outcome<()> {
    let mut seen = std::collections::BTreeSet::new();
    let repeated = ids.iter().enumerate().filter(|(_, id)| !seen.insert(**id));
    let mistakes: Vec<Mistake> = repeated
        .map(|(index, id)| Mistake { pointer: format!("/{index}/id"), detail: format!("node {id} is named twice") })
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Refusal::mistakes(mistakes)) }
}
