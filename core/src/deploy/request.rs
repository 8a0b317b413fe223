//! Work is asked for: checked, and written down as a task.

use super::{DataKind, Selection, Work, run};
use crate::{
    change::{Tolerance, WorkHook, clusters, enabling},
    error::{Outcome, Refusal},
    extension::HookCall,
    model::{Cluster, ErrorType, Node, NodeStatus, Task, TaskKind},
    server::Server,
    store::{self, NewTask, TaskNode},
};
use std::sync::Arc;

/// What is wanted.
#[derive(Debug, Clone)]
pub(crate) struct WorkRequest {
    pub(crate) cluster: i64,
    pub(crate) kind: TaskKind,
    pub(crate) selection: Selection,
    pub(crate) dry_run: bool,
}

/// Checks a request, writes its task down, and starts to work on it. The task that is given back is still pending.
pub(crate) async fn request(server: &Arc<Server>, wanted: WorkRequest) -> Outcome<Task> {
    let Some(work) = Work::of(wanted.kind) else {
        return Err(Refusal::malformed(format!("{} is not work on nodes", wanted.kind)));
    };
    let mut tx = server.change(Tolerance::Strict).await?;
    let cluster = clusters::find_locked(&tx, wanted.cluster).await?;
    // What the cluster lacks is told before what is wrong with its nodes; what the nodes lack, once they are chosen.
    enabling::refuse_missing(&tx, &cluster, &[])?;
    clusters::refuse_while_a_task_runs(&tx, &cluster).await?;
    let members = store::nodes::of_cluster(&*tx, &server.domain, cluster.id).await?;
    let nodes = choose(&cluster, members, &wanted)?;
    enabling::refuse_missing(&tx, &cluster, &nodes)?;
    tx.check_enabled(&cluster, &nodes, |cluster, nodes| HookCall::BeforeDeploymentCheck(cluster, nodes)).await?;
    let serialization: WorkHook = match work.data {
        DataKind::Deployment => |cluster, nodes| HookCall::BeforeDeploymentSerialization(cluster, nodes),
        DataKind::Provisioning => |cluster, nodes| HookCall::BeforeProvisioningSerialization(cluster, nodes),
    };
    tx.fire_enabled(&cluster, &nodes, serialization).await?;
    let new = NewTask {
        cluster: Some(cluster.id),
        kind: wanted.kind,
        dry_run: wanted.dry_run,
        server: server.id,
        now: tx.now,
    };
    let parts: Vec<TaskNode> =
        nodes.iter().map(|node| TaskNode { node: node.id, status: node.status, progress: 0, message: None }).collect();
    let task = store::tasks::insert(&*tx, new, &parts).await?;
    tx.commit().await?;
    run::spawn(server, task.clone());
    Ok(task)
}

/// The nodes to work on: those that were named, or else all that are in need of it.
fn choose(cluster: &Cluster, members: Vec<Node>, wanted: &WorkRequest) -> Outcome<Vec<Node>> {
    let in_need = |node: &Node| match wanted.kind {
        TaskKind::Provision => needs_provisioning(node),
        _ => needs_deployment(node),
    };
    let count = members.len();
    let none_is_provisioned = count > 0 && !members.iter().any(is_provisioned);
    let nodes = match &wanted.selection {
        Selection::All => members.into_iter().filter(|node| in_need(node)).collect(),
        Selection::These(ids) => {
            if let Some(unknown) = ids.iter().find(|id| !members.iter().any(|node| node.id == **id)) {
                return Err(Refusal::NotFound(format!("node {unknown} does not exist in cluster {}", cluster.id)));
            }
            wanted.selection.of(cluster, members)?
        }
    };
    if nodes.is_empty() && wanted.kind == TaskKind::Deployment && none_is_provisioned {
        let detail =
            format!("none of the {count} nodes of cluster '{}' is provisioned; provision them first", cluster.name);
        return Err(Refusal::malformed(detail));
    }
    if nodes.is_empty() {
        return Err(Refusal::malformed(format!("cluster '{}' has no nodes to {}", cluster.name, verb(wanted.kind))));
    }
    let unfit = |node: &&Node| wanted.kind == TaskKind::Deployment && !is_provisioned(node);
    let unprovisioned: Vec<String> = nodes.iter().filter(unfit).map(|node| node.id.to_string()).collect();
    if !unprovisioned.is_empty() {
        return Err(Refusal::malformed(format!("nodes {} are not provisioned yet", unprovisioned.join(", "))));
    }
    Ok(nodes)
}

fn verb(kind: TaskKind) -> &'static str {
    if kind == TaskKind::Provision { "provision" } else { "deploy" }
}

fn needs_provisioning(node: &Node) -> bool {
    !node.pending_deletion
        && match node.status {
            NodeStatus::Discover => true,
            NodeStatus::Error => node.error_type == Some(ErrorType::Provision),
            _ => false,
        }
}

fn is_provisioned(node: &Node) -> bool {
    match node.status {
        NodeStatus::Provisioned | NodeStatus::Ready | NodeStatus::Stopped => true,
        NodeStatus::Error => node.error_type == Some(ErrorType::Deploy),
        _ => false,
    }
}

fn needs_deployment(node: &Node) -> bool {
    let done = node.status == NodeStatus::Ready && node.pending_roles.is_empty();
    !node.pending_deletion && is_provisioned(node) && !done
}
