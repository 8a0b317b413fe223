//! Work is asked for: checked, and written down as a task. Whose turn it is, the [`driver`](super::driver) sees.

use super::{DataKind, Selection, removal};
use crate::{
    change::{ChangeTx, Tolerance, WorkHook, clusters, enabling},
    error::{Outcome, Refusal},
    extension::HookCall,
    model::{Cluster, ErrorType, Happening, Node, NodeStatus, Task, TaskKind, TaskNode, Work, step},
    server::Server,
    store::{self, NewTask},
};
use std::{collections::BTreeSet, sync::Arc};

/// What is wanted.
#[derive(Debug, Clone)]
pub(crate) struct WorkRequest {
    pub(crate) cluster: i64,
    pub(crate) wanted: Wanted,
}

/// What is wanted of the nodes of a cluster.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Provision(Selection),
    Deployment {
        selection: Selection,
        dry_run: bool,
    },
    /// All that is pending: removal, provisioning and deployment, in this order.
    Changes,
    /// Everything is taken from all nodes; by force, even while a task runs.
    Reset {
        force: bool,
    },
}

/// One task that is wanted, with its nodes.
struct Planned {
    kind: TaskKind,
    nodes: Vec<Node>,
}

/// Checks a request and writes its task down. The task that is given back is still pending.
pub(crate) async fn request(server: &Arc<Server>, request: WorkRequest) -> Outcome<Task> {
    if let Wanted::Reset { force: true } = request.wanted {
        super::end_all(server, request.cluster, "the cluster was reset by force").await?;
    }
    if let Wanted::Changes = request.wanted {
        removal::rehearse(server, &pending_deletion(server, request.cluster).await?).await?;
    }
    let mut tx = server.change(Tolerance::Strict).await?;
    let cluster = clusters::find_locked(&tx, request.cluster).await?;
    if !matches!(request.wanted, Wanted::Reset { .. }) {
        // What the cluster lacks is told before what is wrong with its nodes; what the nodes lack, once they are chosen.
        enabling::refuse_lacking(&server.registry, &cluster, &[])?;
    }
    refuse_without_orchestrator(server, &cluster)?;
    clusters::refuse_while_a_task_runs(&tx, &cluster).await?;
    let members = store::nodes::of_cluster(&*tx, &server.domain, cluster.id).await?;
    let plan = plan(&cluster, members, &request.wanted)?;
    check(&mut tx, &cluster, &plan).await?;
    let dry_run = matches!(request.wanted, Wanted::Deployment { dry_run: true, .. });
    let task = match request.wanted {
        Wanted::Changes => {
            let whole =
                insert(&tx, &cluster, None, dry_run, &Planned { kind: TaskKind::Deploy, nodes: Vec::new() }).await?;
            let mut subtasks = Vec::new();
            for planned in &plan {
                subtasks.push(insert(&tx, &cluster, Some(whole.id), dry_run, planned).await?.id);
            }
            Task { subtasks, ..whole }
        }
        _ => {
            let planned = plan.first().ok_or_else(|| Refusal::malformed("there is nothing to do"))?;
            insert(&tx, &cluster, None, dry_run, planned).await?
        }
    };
    tx.commit().await?;
    server.nudge();
    Ok(task)
}

/// Refuses work that nobody would take on.
fn refuse_without_orchestrator(server: &Server, cluster: &Cluster) -> Outcome<()> {
    let orchestrator = server.orchestrators.get(&cluster.orchestrator);
    match orchestrator.and_then(|orchestrator| orchestrator.failure()) {
        Some(failure) => Err(Refusal::Conflict(failure)),
        None => Ok(()),
    }
}

/// The nodes that are to be removed from a cluster.
async fn pending_deletion(server: &Server, cluster: i64) -> Outcome<Vec<i64>> {
    let members = store::nodes::of_cluster(server.store.reader(), &server.domain, cluster).await?;
    Ok(members.into_iter().filter(|node| node.pending_deletion).map(|node| node.id).collect())
}

/// Asks the extensions whether work may begin, and tells them that it will.
async fn check(tx: &mut ChangeTx, cluster: &Cluster, plan: &[Planned]) -> Outcome<()> {
    let with_data = || plan.iter().filter_map(|planned| Some((planned, DataKind::of(planned.kind.work()?)?)));
    let mut all: Vec<Node> = with_data().flat_map(|(planned, _)| planned.nodes.iter().cloned()).collect();
    all.sort_by_key(|node| node.id);
    all.dedup_by_key(|node| node.id);
    if all.is_empty() {
        return Ok(());
    }
    enabling::refuse_lacking(&tx.server.registry, cluster, &all)?;
    tx.check_enabled(cluster, &all, |cluster, nodes| HookCall::BeforeDeploymentCheck(cluster, nodes)).await?;
    for (planned, kind) in with_data() {
        let serialization: WorkHook = match kind {
            DataKind::Deployment => |cluster, nodes| HookCall::BeforeDeploymentSerialization(cluster, nodes),
            DataKind::Provisioning => |cluster, nodes| HookCall::BeforeProvisioningSerialization(cluster, nodes),
        };
        tx.fire_enabled(cluster, &planned.nodes, serialization).await?;
    }
    Ok(())
}

/// Writes a task down, with the part of each node in it.
async fn insert(
    tx: &ChangeTx,
    cluster: &Cluster,
    parent: Option<i64>,
    dry_run: bool,
    planned: &Planned,
) -> Outcome<Task> {
    let new = NewTask { parent, dry_run, ..tx.new_task(planned.kind, Some(cluster)) };
    let parts: Vec<TaskNode> = planned.nodes.iter().map(TaskNode::of).collect();
    Ok(store::tasks::insert(tx, new, &parts).await?)
}

fn plan(cluster: &Cluster, members: Vec<Node>, wanted: &Wanted) -> Outcome<Vec<Planned>> {
    let one = |kind, nodes| Ok(vec![Planned { kind, nodes }]);
    match wanted {
        Wanted::Provision(selection) => one(TaskKind::Provision, to_provision(cluster, members, selection)?),
        Wanted::Deployment { selection, .. } => one(TaskKind::Deployment, to_deploy(cluster, members, selection)?),
        Wanted::Reset { .. } => {
            let nodes: Vec<Node> = members.into_iter().filter(|node| may_begin(Work::Reset, node)).collect();
            if nodes.is_empty() {
                return Err(Refusal::malformed(format!("cluster '{}' has no nodes to reset", cluster.name)));
            }
            one(TaskKind::ResetEnvironment, nodes)
        }
        Wanted::Changes => {
            let (removed, kept): (Vec<Node>, Vec<Node>) =
                members.into_iter().partition(|node| node.pending_deletion && may_begin(Work::Removal, node));
            let provisioned: Vec<Node> = kept.iter().filter(|node| needs_provisioning(node)).cloned().collect();
            let deployed = kept.into_iter().filter(|node| needs_provisioning(node) || needs_deployment(node)).collect();
            let mut plan = vec![
                Planned { kind: TaskKind::NodeDeletion, nodes: removed },
                Planned { kind: TaskKind::Provision, nodes: provisioned },
                Planned { kind: TaskKind::Deployment, nodes: deployed },
            ];
            plan.retain(|planned| !planned.nodes.is_empty());
            if plan.is_empty() {
                return Err(Refusal::malformed(format!("cluster '{}' has no changes to deploy", cluster.name)));
            }
            Ok(plan)
        }
    }
}

fn to_provision(cluster: &Cluster, members: Vec<Node>, selection: &Selection) -> Outcome<Vec<Node>> {
    let nodes = match selection {
        Selection::All => members.into_iter().filter(needs_provisioning).collect(),
        Selection::These(_) => named(cluster, members, selection)?,
    };
    if nodes.is_empty() {
        return Err(Refusal::malformed(format!("cluster '{}' has no nodes to provision", cluster.name)));
    }
    refuse_unfit(&nodes, |node| may_begin(Work::Provision, node), "cannot be provisioned as they are")?;
    Ok(nodes)
}

fn to_deploy(cluster: &Cluster, members: Vec<Node>, selection: &Selection) -> Outcome<Vec<Node>> {
    let count = members.len();
    let none_is_provisioned = count > 0 && !members.iter().any(is_provisioned);
    let nodes: Vec<Node> = match selection {
        Selection::All => members.into_iter().filter(needs_deployment).collect(),
        Selection::These(_) => named(cluster, members, selection)?,
    };
    if nodes.is_empty() && none_is_provisioned {
        let detail =
            format!("none of the {count} nodes of cluster '{}' is provisioned; provision them first", cluster.name);
        return Err(Refusal::malformed(detail));
    }
    if nodes.is_empty() {
        return Err(Refusal::malformed(format!("cluster '{}' has no nodes to deploy", cluster.name)));
    }
    refuse_unfit(&nodes, is_provisioned, "are not provisioned yet")?;
    Ok(nodes)
}

/// The nodes that were named, which must be in the cluster.
fn named(cluster: &Cluster, members: Vec<Node>, selection: &Selection) -> Outcome<Vec<Node>> {
    let known: BTreeSet<i64> = members.iter().map(|node| node.id).collect();
    if let Selection::These(ids) = selection
        && let Some(unknown) = ids.iter().find(|id| !known.contains(id))
    {
        return Err(Refusal::NotFound(format!("node {unknown} does not exist in cluster {}", cluster.id)));
    }
    selection.of(cluster, members)
}

fn refuse_unfit(nodes: &[Node], is_fit: impl Fn(&Node) -> bool, how: &str) -> Outcome<()> {
    let unfit: Vec<String> = nodes.iter().filter(|node| !is_fit(node)).map(|node| node.id.to_string()).collect();
    if unfit.is_empty() { Ok(()) } else { Err(Refusal::malformed(format!("nodes {} {how}", unfit.join(", ")))) }
}

fn may_begin(work: Work, node: &Node) -> bool {
    step(work, Happening::Begins, node.status).is_some()
}

fn needs_provisioning(node: &Node) -> bool {
    !node.pending_deletion
        && match node.status {
            NodeStatus::Discover => true,
            // A stop that failed has left nobody knows what.
            NodeStatus::Error => {
                matches!(node.error_type, Some(ErrorType::Provision | ErrorType::StopDeployment))
            }
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
