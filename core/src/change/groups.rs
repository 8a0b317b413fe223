//! Node groups are made, renamed and deleted. Whoever changes the groups of a cluster holds the cluster's lock.

use super::{ChangeTx, clusters, nodes};
use crate::{
    error::{Mistake, Outcome, Refusal},
    extension::HookCall,
    model::{Cluster, Node, NodeGroup},
    store,
};
use serde::Deserialize;
use utoipa::ToSchema;

/// A group to be made: the body of `POST /nodegroups`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupInput {
    /// The id of its cluster.
    cluster_id: i64,
    /// Its name, unique in the cluster.
    name: String,
}

/// What may change of a group: the body of `PUT /nodegroups/{id}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GroupUpdate {
    /// Its name, unique in the cluster.
    name: Option<String>,
}

const NAME_LENGTH: usize = 50;

pub(crate) async fn create(tx: &mut ChangeTx, input: GroupInput) -> Outcome<NodeGroup> {
    let cluster = clusters::find_locked(tx, input.cluster_id).await?;
    check_name(tx, &cluster, &input.name, None).await?;
    insert(tx, &cluster, input.name, false).await
}

/// The group that a cluster is made with.
pub(super) async fn create_default(tx: &mut ChangeTx, cluster: &Cluster) -> Outcome<NodeGroup> {
    insert(tx, cluster, "default".to_owned(), true).await
}

async fn insert(tx: &mut ChangeTx, cluster: &Cluster, name: String, is_default: bool) -> Outcome<NodeGroup> {
    let new = NodeGroup { id: 0, cluster_id: cluster.id, name, is_default };
    let group = store::groups::insert(tx, new).await?;
    tx.fire(HookCall::NodegroupCreate(&group)).await?;
    Ok(group)
}

pub(crate) async fn update(tx: &mut ChangeTx, id: i64, update: GroupUpdate) -> Outcome<NodeGroup> {
    let (group, cluster) = find_locked(tx, id).await?;
    match update.name {
        Some(name) if name != group.name => {
            check_name(tx, &cluster, &name, Some(id)).await?;
            Ok(store::groups::rename(tx, &group, name).await?)
        }
        _ => Ok(group),
    }
}

/// Deletes a group; its nodes join the default group of the cluster.
pub(crate) async fn delete(tx: &mut ChangeTx, id: i64) -> Outcome<()> {
    let (group, cluster) = find_locked(tx, id).await?;
    if group.is_default {
        return Err(Refusal::malformed(format!(
            "node group '{}' is the default group of cluster '{}', and stays as long as the cluster does",
            group.name, cluster.name
        )));
    }
    let default = default_of(tx, cluster.id).await?;
    let members = store::nodes::of_cluster(&**tx, &tx.domain(), cluster.id).await?;
    let members: Vec<i64> = members.iter().filter(|node| node.group_id == Some(id)).map(|node| node.id).collect();
    for before in store::nodes::find_all_locked(&**tx, &tx.domain(), &members).await? {
        let after = Node { group_id: Some(default), ..before.clone() };
        nodes::save(tx, &before, &after).await?;
    }
    tx.fire(HookCall::NodegroupDelete(&group)).await?;
    Ok(store::groups::delete(tx, &group).await?)
}

/// Deletes the groups of a cluster with it.
pub(super) async fn delete_with(tx: &mut ChangeTx, cluster: &Cluster) -> Outcome<()> {
    for group in store::groups::of_cluster(&**tx, cluster.id).await? {
        tx.fire(HookCall::NodegroupDelete(&group)).await?;
        store::groups::delete(tx, &group).await?;
    }
    Ok(())
}

/// The group that nodes join with a cluster.
pub(super) async fn default_of(tx: &ChangeTx, cluster: i64) -> Outcome<i64> {
    let groups = store::groups::of_cluster(&**tx, cluster).await?;
    let default = groups.iter().find(|group| group.is_default);
    Ok(default.ok_or_else(|| Refusal::unknown("the default group of cluster", cluster))?.id)
}

/// The group that a node is to be in: one of its cluster's, or (`None`) the default.
pub(super) async fn for_node(tx: &ChangeTx, node: &Node, wanted: Option<i64>) -> Outcome<Option<i64>> {
    let mistake = |detail| Refusal::mistakes(vec![Mistake { pointer: "/group_id".to_owned(), detail }]);
    match (node.cluster, wanted) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(mistake(format!("node {} is in no cluster, and so in no group", node.id))),
        (Some(cluster), None) => Ok(Some(default_of(tx, cluster).await?)),
        (Some(cluster), Some(id)) => match store::groups::find(&**tx, id).await? {
            Some(group) if group.cluster_id == cluster => Ok(Some(id)),
            _ => Err(mistake(format!("cluster {cluster} has no node group {id}"))),
        },
    }
}

/// Reads a group, and its cluster, which is locked.
async fn find_locked(tx: &ChangeTx, id: i64) -> Outcome<(NodeGroup, Cluster)> {
    let unknown = || Refusal::unknown("node group", id);
    let group = store::groups::find(&**tx, id).await?.ok_or_else(unknown)?;
    let cluster = clusters::find_locked(tx, group.cluster_id).await?;
    // Read again: what was read before the lock may be old.
    Ok((store::groups::find(&**tx, id).await?.ok_or_else(unknown)?, cluster))
}

async fn check_name(tx: &ChangeTx, cluster: &Cluster, name: &str, own: Option<i64>) -> Outcome<()> {
    if name.trim().is_empty() || name.chars().count() > NAME_LENGTH {
        let detail = format!("the name of a node group has 1 to {NAME_LENGTH} characters");
        return Err(Refusal::mistakes(vec![Mistake { pointer: "/name".to_owned(), detail }]));
    }
    let groups = store::groups::of_cluster(&**tx, cluster.id).await?;
    if groups.iter().any(|group| group.name == name && Some(group.id) != own) {
        return Err(Refusal::Forbidden(format!("node group '{name}' already exists in cluster '{}'", cluster.name)));
    }
    Ok(())
}
