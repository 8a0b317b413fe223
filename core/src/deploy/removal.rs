//! Nodes and clusters are deleted: what nothing was done to goes at once, for the rest the orchestrator has to work.

use crate::{
    change::{ChangeTx, Tolerance, clusters, nodes},
    error::Outcome,
    model::{Cluster, Node, NodeStatus, Task, TaskKind, TaskNode, TaskStatus},
    server::Server,
    store::{self, NewTask},
};
use std::{collections::BTreeMap, sync::Arc};

/// Deletes nodes. The task is ready already when no orchestrator has to do anything.
pub(crate) async fn delete_nodes(server: &Arc<Server>, ids: &[i64]) -> Outcome<Task> {
    rehearse(server, ids).await?;
    let mut tx = server.change(Tolerance::Strict).await?;
    let found = nodes::find_to_delete(&tx, ids).await?;
    let (used, untouched): (Vec<Node>, Vec<Node>) = found.into_iter().partition(is_used);
    let count = untouched.len();
    let only = |nodes: &[Node]| match nodes.first().and_then(|node| node.cluster) {
        Some(cluster) if nodes.iter().all(|node| node.cluster == Some(cluster)) => Some(cluster),
        _ => None,
    };
    let task = if used.is_empty() {
        let cluster = match only(&untouched) {
            Some(cluster) => Some(clusters::find(&tx, cluster).await?),
            None => None,
        };
        nodes::erase(&mut tx, untouched).await?;
        let message = format!("{count} node{} deleted", if count == 1 { " is" } else { "s are" });
        insert_ended(&tx, TaskKind::NodeDeletion, cluster.as_ref(), message).await?
    } else {
        nodes::erase(&mut tx, untouched).await?;
        let mut of_clusters = BTreeMap::<i64, Vec<TaskNode>>::new();
        for node in &used {
            of_clusters.entry(node.cluster.unwrap_or_default()).or_default().push(TaskNode::of(node));
        }
        let whole = match of_clusters.len() {
            1 => None,
            // The parts are of several clusters, and maybe of several orchestrators.
            _ => Some(store::tasks::insert(&tx, tx.new_task(TaskKind::Super, None), &[]).await?),
        };
        let mut parts = Vec::new();
        for (cluster, nodes) in of_clusters {
            let cluster = clusters::find(&tx, cluster).await?;
            let parent = whole.as_ref().map(|whole| whole.id);
            let new = NewTask { parent, ..tx.new_task(TaskKind::NodeDeletion, Some(&cluster)) };
            parts.push(store::tasks::insert(&tx, new, &nodes).await?);
        }
        let subtasks: Vec<i64> = parts.iter().map(|part| part.id).collect();
        match whole {
            Some(whole) => Task { subtasks, ..whole },
            None => parts.remove(0),
        }
    };
    tx.commit().await?;
    server.nudge();
    Ok(task)
}

/// Asks the extensions what they say to the deletion of nodes, before anything is done that cannot be taken back: whatever
/// they write here goes again.
pub(super) async fn rehearse(server: &Arc<Server>, ids: &[i64]) -> Outcome<()> {
    let mut rehearsal = server.change(Tolerance::Strict).await?;
    let found = nodes::find_all(&rehearsal, ids).await?;
    nodes::erase(&mut rehearsal, found).await?;
    rehearsal.rollback().await
}

/// Deletes a cluster. Nodes that nothing was done to leave it, the others are removed by its orchestrator first. By force
/// the orchestrator is not asked, and nothing refuses it: what is on the machines stays there.
pub(crate) async fn delete_cluster(server: &Arc<Server>, id: i64, force: bool) -> Outcome<Task> {
    let tolerance = if force { Tolerance::Unstoppable } else { Tolerance::Strict };
    let mut tx = server.change(tolerance).await?;
    let cluster = clusters::find_locked(&tx, id).await?;
    clusters::refuse_while_a_task_runs(&tx, &cluster).await?;
    let members = store::nodes::of_cluster(&*tx, &server.domain, id).await?;
    let used: Vec<Node> = members.into_iter().filter(is_used).collect();
    let told = clusters::erase(&mut tx, &cluster, 0).await?;
    if force || used.is_empty() {
        let task = insert_ended(&tx, TaskKind::ClusterDeletion, None, told).await?;
        tx.commit().await?;
        server.nudge();
        return Ok(task);
    }
    // That was to hear what the extensions say to it, before anything is done that cannot be taken back.
    tx.rollback().await?;
    let tx = server.change(Tolerance::Strict).await?;
    let cluster: Cluster = clusters::find_locked(&tx, id).await?;
    clusters::refuse_while_a_task_runs(&tx, &cluster).await?;
    let members = store::nodes::of_cluster(&*tx, &server.domain, id).await?;
    let parts: Vec<TaskNode> = members.iter().filter(|node| is_used(node)).map(TaskNode::of).collect();
    let task = store::tasks::insert(&tx, tx.new_task(TaskKind::ClusterDeletion, Some(&cluster)), &parts).await?;
    tx.commit().await?;
    server.nudge();
    Ok(task)
}

/// Writes down a task that is ready already.
async fn insert_ended(tx: &ChangeTx, kind: TaskKind, cluster: Option<&Cluster>, message: String) -> Outcome<Task> {
    let task = store::tasks::insert(tx, tx.new_task(kind, cluster), &[]).await?;
    let task = Task { status: TaskStatus::Ready, progress: 100, message, time_end: Some(tx.now), ..task };
    store::tasks::update(tx, &task).await?;
    Ok(task)
}

/// Whether anything was ever done to a node, so that an orchestrator has to take it away.
fn is_used(node: &Node) -> bool {
    node.cluster.is_some() && node.status != NodeStatus::Discover
}
