//! Works on a task: makes the data, writes down that it begins, and hands it to the orchestrator.

use super::{DataKind, Selection, conclude::save, explain::Trace, pipelines, report, sent, serialize::Source};
use crate::{
    change::{ChangeTx, Tolerance, clusters, enabling, nodes},
    contain::panic_text,
    error::{Outcome, Refusal, chain},
    extension::{Dispatch, Documents, Receipt, Report},
    model::{
        Cluster, ClusterStatus, Happening, Node, NodeStatus, Place, SentDocument, Task, TaskKind, TaskNode, TaskStatus,
        Work, step,
    },
    server::Server,
    store,
};
use backon::Retryable;
use futures_util::FutureExt;
use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc};

/// How a task is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// For the first time.
    TheStart,
    /// After a restart of the server that worked on it.
    ARestart,
}

/// Works on a task that is written down, unless it is worked on already; the server waits for it when it stops.
pub(super) fn spawn(server: &Arc<Server>, task: Task, from: From) {
    let Some(hold) = server.hold(task.uuid) else { return };
    let owner = Arc::clone(server);
    server.work.spawn(async move {
        let abandoned = hold.abandoned();
        tokio::select! {
            () = abandoned.cancelled() => {}
            () = see_through(&owner, &task, from) => {}
        }
        drop(hold);
    });
}

async fn see_through(server: &Arc<Server>, task: &Task, from: From) {
    // Until the orchestrator is called the same can be tried again.
    let attempt = || work_on(server, task, from);
    let work = attempt.retry(report::patience()).when(Refusal::may_pass);
    // Caught, since a task that nobody works on any more must not be running for ever.
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    let (extension, message) = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(refusal)) => {
            tracing::error!(task = task.id, error = chain(&refusal), "the task failed");
            (refusal.extension(), refusal.to_string())
        }
        Err(panic) => {
            tracing::error!(task = task.id, panic = panic_text(&*panic), "the task failed");
            (None, "the server failed; its log has more".to_owned())
        }
    };
    if let Err(refusal) = report::fail(server, task, extension, message).await {
        let error = chain(&refusal);
        tracing::error!(task = task.id, error, "a task could not be ended; the next start settles it");
    }
}

async fn work_on(server: &Arc<Server>, task: &Task, from: From) -> Outcome<()> {
    let documents = if task.status == TaskStatus::Pending { prepare(server, task).await? } else { None };
    if task.dry_run {
        return report::finish_dry_run(server, task).await;
    }
    let Some(task) = begin(server, task).await? else { return Ok(()) };
    let dispatch = dispatch_of(server, &task, documents).await?;
    hand_over(server, &task, dispatch, from).await
}

/// Makes the data of a task, and of all other parts of its whole, so that a pipeline that fails stops them before anything
/// was sent; and keeps them with the tasks. Gives back those of the task itself, where they were made now.
async fn prepare(server: &Arc<Server>, task: &Task) -> Outcome<Option<Documents>> {
    let family = match task.parent_id {
        Some(whole) => store::tasks::parts_of(server.store.reader(), whole).await?,
        None => vec![task.clone()],
    };
    let mut made = Vec::new();
    for part in family.iter().filter(|part| part.status == TaskStatus::Pending) {
        let kind = part.name.work().and_then(DataKind::of);
        if let (Some(kind), Some(cluster)) = (kind, part.cluster)
            && !store::sent::is_kept(server.store.reader(), part.id).await?
        {
            made.push((part.id, data_of(server, part, cluster, kind).await?));
        }
    }
    if made.is_empty() {
        return Ok(None);
    }
    let mut tx = server.change(Tolerance::Strict).await?;
    let ids: Vec<i64> = made.iter().map(|(id, _)| *id).collect();
    let there = store::tasks::find_all_locked(&*tx, &ids).await?;
    for (id, Made { documents, roles }) in &made {
        // It may have been deleted by force.
        let Some(part) = there.iter().find(|part| part.id == *id) else { continue };
        store::sent::insert(&*tx, *id, documents).await?;
        if let (TaskKind::Deployment, false, Some(cluster)) = (part.name, part.dry_run, part.cluster) {
            store::tasks::set_roles(&*tx, *id, roles).await?;
            clusters::find_locked(&tx, cluster).await?;
            // What changes from now on is not in the data. Where they do not arrive, it comes back.
            clusters::forget_changes(&mut tx, cluster).await?;
        }
    }
    tx.commit().await?;
    let own = made.into_iter().find(|(id, _)| *id == task.id).map(|(_, made)| documents_of(made.documents));
    own.transpose()
}

/// The data of a task.
struct Made {
    documents: Vec<SentDocument>,
    /// The roles that the nodes have in them.
    roles: Vec<(i64, Vec<String>)>,
}

async fn data_of(server: &Arc<Server>, task: &Task, cluster: i64, kind: DataKind) -> Outcome<Made> {
    let parts = store::tasks::nodes_of(server.store.reader(), task.id).await?;
    let ids: Vec<i64> = parts.into_iter().map(|part| part.node).collect();
    let source = Source::read(server, cluster, kind, &Selection::These(ids)).await?;
    // The task may have been asked for in an earlier run of the server, which had them.
    enabling::refuse_lacking(&server.registry, &source.cluster, &source.nodes)?;
    let roles = source.nodes.iter().map(|node| (node.id, node.all_roles())).collect();
    let generated = source.generate(kind);
    let processed = pipelines::run(server, kind, generated, &mut Trace::off()).await?;
    let data = Arc::new(source.customise(processed));
    let unwritable = |error| Refusal::Conflict(format!("the data cannot be written: {error}"));
    Ok(Made { documents: sent::documents(&data).await.map_err(unwritable)?, roles })
}

fn documents_of(documents: Vec<SentDocument>) -> Outcome<Documents> {
    Documents::of(documents).map_err(|error| Refusal::Conflict(format!("the data cannot be read: {error}")))
}

/// Writes down that the work begins: from here on the statuses of the nodes tell of it. `None` when the task has ended in
/// the meantime, or is about to be stopped.
async fn begin(server: &Arc<Server>, task: &Task) -> Outcome<Option<Task>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let ids: Vec<i64> = task.parent_id.into_iter().chain([task.id]).collect();
    let mut locked = store::tasks::find_all_locked(&*tx, &ids).await?;
    let Some(task) = locked.pop().filter(|locked| locked.id == task.id && !locked.status.is_final()) else {
        return Ok(None);
    };
    if task.status == TaskStatus::Running {
        return Ok(Some(task));
    }
    let Some(work) = task.name.work() else { return Ok(None) };
    if let Some(cluster) = task.cluster {
        let cluster = clusters::find_locked(&tx, cluster).await?;
        let unfinished = store::tasks::unfinished_in(&*tx, cluster.id).await?;
        if work != Work::Stop && unfinished.iter().any(|other| other.name == TaskKind::StopDeployment) {
            // Nothing begins on what is being stopped.
            return Ok(None);
        }
        let status = match (task.name, work) {
            (TaskKind::ClusterDeletion, _) => ClusterStatus::Remove,
            (_, Work::Stop) => cluster.status,
            _ => ClusterStatus::Deployment,
        };
        clusters::save_status(&mut tx, &cluster, status).await?;
    }
    if let Some(whole) = locked.pop().filter(|whole| whole.status == TaskStatus::Pending) {
        save(&tx, &whole, TaskStatus::Running).await?;
    }
    if work != Work::Stop {
        begin_nodes(&mut tx, &task, work).await?;
    }
    save(&tx, &task, TaskStatus::Running).await?;
    tx.commit().await?;
    server.nudge();
    Ok(Some(Task { status: TaskStatus::Running, ..task }))
}

async fn begin_nodes(tx: &mut ChangeTx, task: &Task, work: Work) -> Outcome<()> {
    let parts = store::tasks::nodes_of(&**tx, task.id).await?;
    let ids: Vec<i64> = parts.iter().map(|part| part.node).collect();
    // Read again: since the data were made, people may have changed what is not theirs to overwrite.
    let mut nodes = store::nodes::find_all_locked(&**tx, &tx.domain(), &ids).await?;
    nodes.retain(|node| node.cluster == task.cluster);
    if nodes.len() != ids.len() {
        return Err(Refusal::Conflict("nodes left the cluster before the work on them began".to_owned()));
    }
    for (before, part) in nodes.into_iter().zip(parts) {
        let status = match step(work, Happening::Begins, before.status) {
            Some(Place::At(status)) => {
                nodes::save(tx, &before, &begun(&before, &part, work, status)).await?;
                status
            }
            Some(_) => before.status,
            None => {
                let Node { id, status, .. } = before;
                return Err(Refusal::Conflict(format!("node {id} is in status {status}, where no {work} begins")));
            }
        };
        store::tasks::update_node(&**tx, task.id, &TaskNode { status, ..part }).await?;
    }
    Ok(())
}

/// A node as the work on it begins. The roles that are sent are its own from now on, and no others.
fn begun(before: &Node, part: &TaskNode, work: Work, status: NodeStatus) -> Node {
    let mut after = Node { status, progress: 0, error_type: None, error_msg: None, ..before.clone() };
    if work == Work::Deployment {
        after.roles.clone_from(&part.roles);
        after.pending_roles.retain(|role| !part.roles.contains(role));
    }
    after
}

/// What the orchestrator of a running task is asked to do, from what is written down.
async fn dispatch_of(server: &Arc<Server>, task: &Task, documents: Option<Documents>) -> Outcome<Dispatch> {
    let gone = || Refusal::malformed("the cluster of the task is gone");
    let (Some(work), Some(cluster)) = (task.name.work(), task.cluster) else { return Err(gone()) };
    let reader = server.store.reader();
    let cluster: Cluster = store::clusters::find(reader, cluster).await?.ok_or_else(gone)?;
    let open: BTreeMap<i64, _> = store::tasks::nodes_of(reader, task.id)
        .await?
        .into_iter()
        .filter(|part| part.is_open())
        .map(|part| (part.node, part))
        .collect();
    let members = store::nodes::of_cluster(reader, &server.domain, cluster.id).await?;
    let nodes = members.into_iter().filter(|node| open.contains_key(&node.id)).collect();
    let documents = match (documents, DataKind::of(work)) {
        (Some(documents), _) => documents,
        (None, Some(_)) => documents_of(store::sent::of_task(reader, task.id).await?)?,
        (None, None) => {
            let common = Source::common(server, cluster.id, DataKind::Provisioning).await?;
            documents_of(vec![SentDocument { node: None, sha256: String::new(), document: common }])?
        }
    };
    Ok(Dispatch { task: task.uuid, work, cluster, nodes, documents, stops: None })
}

/// Hands a task to its orchestrator, and keeps the receipt.
async fn hand_over(server: &Arc<Server>, task: &Task, mut dispatch: Dispatch, from: From) -> Outcome<()> {
    let stopped = match dispatch.work {
        Work::Stop => match super::stop::withhold(server, task).await? {
            // It ended while this was on its way.
            None => {
                report::deliver(server, task.uuid, Report::done()).await;
                return Ok(());
            }
            stopped => stopped,
        },
        _ => None,
    };
    dispatch.stops = stopped.as_ref().map(|stopped| stopped.uuid);
    let taken = match (server.orchestrators.get(&task.orchestrator), from) {
        (None, _) => Err(format!("the cluster's orchestrator `{}` is not in this build", task.orchestrator)),
        (Some(orchestrator), From::TheStart) => orchestrator.dispatch(server, &dispatch).await,
        (Some(orchestrator), From::ARestart) => {
            orchestrator.resume(server, &dispatch, task.receipt.clone().map(Receipt::new)).await
        }
    };
    let kept = match taken {
        Ok(receipt) => {
            let keep = || async {
                let tx = server.store.write().await?;
                store::tasks::set_receipt(&*tx, task.uuid, receipt.as_str()).await?;
                tx.commit().await?;
                server.nudge();
                Ok(())
            };
            keep.retry(report::patience()).when(Refusal::may_pass).await
        }
        Err(reason) => {
            tracing::warn!(task = task.id, reason, "the orchestrator did not take a task on");
            report::fail(server, task, None, reason).await
        }
    };
    if let Err(refusal) = kept {
        // After the next start it is dispatched again, with the same id.
        tracing::error!(task = task.id, error = chain(&refusal), "what became of a dispatch could not be written down");
    }
    Ok(())
}
