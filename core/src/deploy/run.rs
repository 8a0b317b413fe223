//! Works on a task: makes its data, writes down that it begins, and hands it to the orchestrator.

use super::{
    Selection, Work,
    explain::Trace,
    orchestrator::Dispatch,
    pipelines,
    report::{self, Report},
    sent,
    serialize::Source,
};
use crate::{
    change::{Tolerance, clusters, nodes},
    contain::panic_text,
    error::{Outcome, Refusal, chain},
    extension::ClusterData,
    model::{Cluster, ClusterStatus, Node, SentDocument, Task, TaskKind, TaskStatus, without_repetition},
    server::Server,
    store,
};
use backon::Retryable;
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc};

/// Starts to work on a task that is written down; the server waits for it when it stops.
pub(super) fn spawn(server: &Arc<Server>, task: Task) {
    let owner = Arc::clone(server);
    server.work.spawn(async move {
        // Caught, since a task that nobody works on any more must not be running for ever.
        let attempt = || work_on(&owner, task.clone());
        // Nothing is sent before the beginning is written down, so that until then the same can be tried again.
        let work = attempt.retry(report::patience()).when(Refusal::may_pass);
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
        if let Err(refusal) = report::fail(&owner, &task, extension, message).await {
            tracing::error!(
                task = task.id,
                error = chain(&refusal),
                "a task could not be ended; the next start settles it"
            );
        }
    });
}

async fn work_on(server: &Arc<Server>, task: Task) -> Outcome<()> {
    let (Some(work), Some(cluster)) = (Work::of(task.name), task.cluster) else {
        return Err(Refusal::malformed("the cluster of the task is gone"));
    };
    let parts = store::tasks::nodes_of(server.store.reader(), task.id).await?;
    let ids: Vec<i64> = parts.into_iter().map(|part| part.node).collect();
    let source = Source::read(server, cluster, work.data, &Selection::These(ids.clone())).await?;
    let generated = source.generate(work.data);
    let processed = pipelines::run(server, work.data, generated, &mut Trace::off()).await?;
    let data = Arc::new(source.customise(processed));
    let unwritable = |error| Refusal::Conflict(format!("the data cannot be written: {error}"));
    let documents = sent::documents(&data).await.map_err(unwritable)?;
    if task.dry_run {
        let count = ids.len();
        let message = format!("dry run: data of {count} node{} made, nothing sent", if count == 1 { "" } else { "s" });
        return report::finish_dry_run(server, &task, message, &documents).await;
    }
    let Some((task, nodes)) = begin(server, &task, work, &ids, &documents).await? else { return Ok(()) };
    dispatch(server, task, work, nodes, data).await
}

/// Writes down that the work begins: from here on the statuses of the nodes tell of it. `None` when the task has ended
/// in the meantime.
async fn begin(
    server: &Arc<Server>,
    task: &Task,
    work: Work,
    ids: &[i64],
    documents: &[SentDocument],
) -> Outcome<Option<(Task, Vec<Node>)>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let locked = store::tasks::find_locked(&*tx, task.uuid).await?;
    let Some(task) = locked.filter(|task| !task.status.is_final()) else { return Ok(None) };
    if task.status == TaskStatus::Running {
        // An earlier attempt was committed, and the answer got lost: nothing was sent, and nothing will be.
        return Err(Refusal::Conflict("the database went away as the work began; ask for it again".to_owned()));
    }
    let task = Task { status: TaskStatus::Running, ..task };
    store::tasks::update(&*tx, &task).await?;
    store::sent::insert(&*tx, task.id, documents).await?;
    if let Some(cluster) = task.cluster {
        let before = clusters::find_locked(&tx, cluster).await?;
        let after = Cluster { status: ClusterStatus::Deployment, ..before.clone() };
        clusters::save(&mut tx, &before, &after).await?;
    }
    // Read again: since the data were made, people may have changed what is not theirs to overwrite.
    let mut nodes = store::nodes::find_all_locked(&*tx, &server.domain, ids).await?;
    nodes.retain(|node| node.cluster == task.cluster);
    if nodes.len() != ids.len() {
        return Err(Refusal::Conflict("nodes left the cluster before the work on them began".to_owned()));
    }
    let mut begun = Vec::with_capacity(nodes.len());
    for before in nodes {
        let mut after = before.clone();
        after.status = work.during;
        after.progress = 0;
        after.error_type = None;
        after.error_msg = None;
        if task.name == TaskKind::Deployment {
            let roles = after.roles.into_iter().chain(after.pending_roles.drain(..)).collect();
            after.roles = without_repetition(roles);
        }
        nodes::save(&mut tx, &before, &after).await?;
        begun.push(after);
    }
    tx.commit().await?;
    Ok(Some((task, begun)))
}

async fn dispatch(
    server: &Arc<Server>,
    task: Task,
    work: Work,
    nodes: Vec<Node>,
    data: Arc<ClusterData>,
) -> Outcome<()> {
    let name = data.cluster.orchestrator.clone();
    let dispatch = Dispatch { task: task.clone(), work, nodes: nodes.into(), data };
    let sent = match server.orchestrators.get(&name) {
        Some(orchestrator) => orchestrator.dispatch(server, dispatch).await,
        None => Err(format!("the cluster's orchestrator `{name}` is not in this build")),
    };
    if let Err(reason) = sent {
        report::deliver(server, task.uuid, Report::failed(reason)).await;
    }
    Ok(())
}
