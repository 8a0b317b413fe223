//! The one way in which a task and its nodes learn what the orchestrator did.
//!
//! A report may come twice, late, or out of order. What it may change stands in [`crate::model`]'s state machine; here it is
//! applied, in one transaction, with everything that follows: the whole that the task is a part of, the cluster, the tasks
//! that a stop ends. What has happened cannot be refused, so that a hook that fails is noted and left behind.

use super::conclude::{Family, conclude, end, save_progress, settle_whole};
use crate::{
    change::{ChangeTx, Tolerance, clusters, nodes, presence},
    error::{Outcome, Refusal, chain},
    extension::{Heard, Report, Said},
    model::{Happening, News, Node, NodeStatus, Place, Task, TaskNode, TaskStatus, Work, error_of},
    server::Server,
    store,
};
use backon::{ExponentialBuilder, Retryable};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use uuid::Uuid;

/// Applies a report, and tries again while the database is busy or away: a report that is lost would leave its task
/// running for ever.
pub(crate) async fn deliver(server: &Arc<Server>, task: Uuid, report: Report) {
    let attempt = || async { apply(server, task, &report).await };
    let outcome = attempt.retry(patience()).when(Refusal::may_pass).await;
    if let Err(refusal) = outcome {
        tracing::error!(%task, error = chain(&refusal), "a report could not be applied; the next start settles the task");
    }
}

/// How often, and for how long, something is tried again while the database is busy or away: five minutes or so.
pub(super) fn patience() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(40)
        .with_jitter()
}

/// Ends a task whose work was not taken on, or that nobody waits for any more, in an error.
///
/// Where it did not begin, and where its work leaves nodes where they are until it is done, nothing else changes.
///
/// # Errors
/// When the database did not let it, for as long as anybody would wait.
pub(crate) async fn fail(server: &Arc<Server>, task: &Task, extension: Option<String>, message: String) -> Outcome<()> {
    let attempt = || async {
        let mut tx = server.change(Tolerance::Unstoppable).await?;
        let Some(Family { task, whole, .. }) = Family::lock(&tx, task.uuid).await? else { return Ok(()) };
        let work = task.name.work();
        match (task.status, work) {
            (TaskStatus::Ready | TaskStatus::Error, _) => return Ok(()),
            // It has only parts.
            (_, None) => {
                tx.rollback().await?;
                for part in store::tasks::parts_of(server.store.reader(), task.id).await? {
                    Box::pin(fail(server, &part, extension.clone(), message.clone())).await?;
                }
                return Ok(());
            }
            (TaskStatus::Running, Some(Work::Provision | Work::Deployment | Work::Removal)) => {
                tx.rollback().await?;
                return apply(server, task.uuid, &Report::failed(message.clone())).await.map(drop);
            }
            (TaskStatus::Pending, Some(_)) | (TaskStatus::Running, Some(Work::Stop | Work::Reset)) => {
                if let (TaskStatus::Running, Some(Work::Reset), Some(cluster)) = (task.status, work, task.cluster) {
                    clusters::find_locked(&tx, cluster).await?;
                    clusters::settle(&mut tx, cluster, None).await?;
                }
                let task = Task { extension: extension.clone(), ..task };
                end(&mut tx, task, TaskStatus::Error, message.clone(), json!({})).await?;
                settle_whole(&mut tx, whole).await?;
            }
        }
        tx.commit().await?;
        server.nudge();
        Ok(())
    };
    attempt.retry(ExponentialBuilder::default().with_max_times(8)).when(Refusal::may_pass).await
}

/// Ends a task that was to do everything but the dispatch; what it would have sent is kept.
pub(super) async fn finish_dry_run(server: &Arc<Server>, task: &Task) -> Outcome<()> {
    let mut tx = server.change(Tolerance::Unstoppable).await?;
    let Some(Family { task, .. }) = Family::lock(&tx, task.uuid).await? else { return Ok(()) };
    if task.status == TaskStatus::Pending {
        let count = store::tasks::nodes_of(&*tx, task.id).await?.len();
        let message = format!("dry run: data of {count} node{} made, nothing sent", if count == 1 { "" } else { "s" });
        end(&mut tx, task, TaskStatus::Ready, message, json!({})).await?;
    }
    tx.commit().await?;
    server.nudge();
    Ok(())
}

/// Applies a report.
pub(crate) async fn apply(server: &Arc<Server>, uuid: Uuid, report: &Report) -> Outcome<Heard> {
    let mut tx = server.change(Tolerance::Unstoppable).await?;
    let Some(family) = Family::lock(&tx, uuid).await? else { return Ok(Heard::Unknown) };
    let (TaskStatus::Running, Some(work)) = (family.task.status, family.task.name.work()) else {
        tracing::debug!(task = %uuid, "a report about a task that is over");
        return Ok(Heard::Outdated);
    };
    if let Some(cluster) = family.task.cluster {
        clusters::find_locked(&tx, cluster).await?;
    }
    let mut parts: BTreeMap<i64, TaskNode> =
        store::tasks::nodes_of(&*tx, family.task.id).await?.into_iter().map(|part| (part.node, part)).collect();
    let changes = listen(&family.task, work, &parts, report);
    let reached: Vec<(i64, bool)> = report
        .nodes
        .iter()
        .filter_map(|said| Some((said.node, said.online?)))
        .filter(|(id, _)| parts.contains_key(id))
        .collect();
    let mut ids: Vec<i64> = changes.keys().copied().chain(reached.iter().map(|(id, _)| *id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found: BTreeMap<i64, Node> = store::nodes::find_all_locked(&*tx, &tx.domain(), &ids)
        .await?
        .into_iter()
        .map(|node| (node.id, node))
        .collect();
    let mut changed = !changes.is_empty();
    for (id, online) in reached {
        if let Some(node) = found.get_mut(&id).filter(|node| node.online != online) {
            presence::turn(&tx, node, online).await?;
            changed = true;
        }
    }
    let mut gone = Vec::new();
    for (id, (mut part, place)) in changes {
        let node = found.remove(&id);
        let was = parts.get(&id).map(|part| part.status);
        match node {
            // Only a node that still is where the task brought it is moved.
            Some(node) if Some(node.status) == was => match place {
                Place::Gone => gone.push(node),
                place => go(&mut tx, work, node, &part, place).await?,
            },
            Some(node) => part.status = node.status,
            None => {}
        }
        store::tasks::update_node(&*tx, family.task.id, &part).await?;
        parts.insert(id, part);
    }
    nodes::erase(&mut tx, gone).await?;
    let mean =
        parts.values().map(|part| part.progress).sum::<i32>() / i32::try_from(parts.len().max(1)).unwrap_or(i32::MAX);
    let progress = report.progress.map_or(mean, |progress| mean.max(i32::from(progress))).min(99);
    if parts.values().any(TaskNode::is_open) {
        if !changed && progress <= family.task.progress {
            return Ok(Heard::Outdated);
        }
        save_progress(&mut tx, family, progress).await?;
    } else {
        conclude(&mut tx, family, work, parts.into_values().collect()).await?;
    }
    tx.commit().await?;
    server.nudge();
    Ok(Heard::Applied)
}

/// What a report changes of the parts of a task, and where that brings their nodes.
fn listen(
    task: &Task,
    work: Work,
    parts: &BTreeMap<i64, TaskNode>,
    report: &Report,
) -> BTreeMap<i64, (TaskNode, Place)> {
    let mut changes = BTreeMap::<i64, (TaskNode, Place)>::new();
    let of_nodes = report.nodes.iter().filter_map(|said| Some((said.node, said.said.as_ref()?)));
    let of_rest = report.rest.iter().flat_map(|said| parts.keys().map(move |id| (*id, said)));
    for (id, said) in of_nodes.chain(of_rest) {
        let Some(part) = changes.get(&id).map(|(part, _)| part).or(parts.get(&id)) else {
            tracing::warn!(task = task.id, node = id, "a report about a node that is not in the task");
            continue;
        };
        if let Some(change) = part.hear(work, &news(said)) {
            changes.insert(id, change);
        }
    }
    changes
}

fn news(said: &Said) -> News {
    match said {
        Said::Progress(percent) => News::Progress(*percent),
        Said::Done => News::Ended(Happening::Done, None),
        Said::Erased => News::Ended(Happening::Erased, None),
        Said::Failed(message) => News::Ended(Happening::Failed, Some(message.clone())),
    }
}

/// Moves a node to where the work on it brought it.
async fn go(tx: &mut ChangeTx, work: Work, before: Node, part: &TaskNode, place: Place) -> Outcome<()> {
    let Place::At(status) = place else {
        // A stop and a reset leave the progress of the node alone: it is that of other work.
        return match work {
            Work::Stop | Work::Reset => Ok(()),
            _ => Ok(store::nodes::set_progress(&**tx, before.id, part.progress).await?),
        };
    };
    let mut after = Node { status, ..before.clone() };
    match status {
        NodeStatus::Discover => return nodes::reset(tx, before).await,
        NodeStatus::Error => {
            after.progress = 100;
            after.error_type = Some(error_of(work));
            after.error_msg.clone_from(&part.message);
        }
        NodeStatus::Stopped => {}
        NodeStatus::Ready => (after.progress, after.pending_addition) = (100, false),
        _ => after.progress = 100,
    }
    nodes::save(tx, &before, &after).await
}
