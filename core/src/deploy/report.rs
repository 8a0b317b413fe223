//! The one way in which a task and its nodes learn what the orchestrator did.
//!
//! A report may come twice, late, or out of order. What it may change stands in [`crate::model`]'s state machine; here it is
//! applied, in one transaction, with everything that follows: the whole that the task is a part of, the cluster, the tasks
//! that a stop ends. What has happened cannot be refused, so that a hook that fails is noted and left behind.

use super::{
    conclude::{Family, conclude, end, leave_nothing_in_deployment, save_progress, settle_whole},
    run::{self, From},
};
use crate::{
    change::{ChangeTx, Tolerance, clusters, nodes, presence},
    error::{Outcome, Refusal, chain},
    extension::{Heard, Report, Said},
    model::{Happening, News, Node, NodeStatus, Place, Task, TaskKind, TaskNode, TaskStatus, Work, error_of},
    principal,
    server::Server,
    store,
};
use backon::{ExponentialBuilder, Retryable};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
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
    let message = plain(&message);
    let attempt = || async {
        let mut tx = server.change(Tolerance::Unstoppable).await?;
        let Some(Family { task, whole, stopped }) = Family::lock(&tx, task.uuid).await? else { return Ok(()) };
        match (task.status, task.name.work()) {
            (TaskStatus::Ready | TaskStatus::Error, _) => return Ok(()),
            // It has only parts.
            (_, None) => {
                tx.rollback().await?;
                return fail_parts(server, &task, extension.clone(), &message).await;
            }
            (TaskStatus::Running, Some(Work::Provision | Work::Deployment | Work::Removal)) => {
                tx.rollback().await?;
                return apply(server, task.uuid, &Report::failed(message.clone())).await.map(drop);
            }
            (TaskStatus::Pending, Some(_)) | (TaskStatus::Running, Some(Work::Stop | Work::Reset)) => {
                let cluster = task.cluster;
                if let Some(cluster) = cluster {
                    clusters::find_locked(&tx, cluster).await?;
                }
                let task = Task { extension: extension.clone(), ..task };
                end(&mut tx, task, TaskStatus::Error, message.clone(), json!({})).await?;
                settle_whole(&mut tx, whole).await?;
                leave_nothing_in_deployment(&mut tx, cluster).await?;
            }
        }
        tx.commit().await?;
        server.nudge();
        for stopped in stopped.into_iter().filter(|stopped| stopped.name.work().is_some()) {
            // What a stop had brought to its end already ends now; what it had withheld is offered again.
            apply(server, stopped.uuid, &Report::new()).await?;
            if stopped.status == TaskStatus::Running && stopped.receipt.is_none() {
                run::spawn(server, stopped, From::ARestart);
            }
        }
        Ok(())
    };
    attempt.retry(ExponentialBuilder::default().with_max_times(8)).when(Refusal::may_pass).await
}

/// Ends a task that has only parts, by ending them.
async fn fail_parts(server: &Arc<Server>, whole: &Task, extension: Option<String>, message: &str) -> Outcome<()> {
    for part in store::tasks::parts_of(server.store.reader(), whole.id).await? {
        Box::pin(fail(server, &part, extension.clone(), message.to_owned())).await?;
    }
    let mut tx = server.change(Tolerance::Unstoppable).await?;
    let locked = store::tasks::find_all_locked(&*tx, &[whole.id]).await?.pop();
    settle_whole(&mut tx, locked).await?;
    tx.commit().await
}

/// A text that any database stores, and that people want to read.
fn plain(text: &str) -> String {
    const LENGTH: usize = 4_000;
    text.chars().take(LENGTH).map(|letter| if letter == '\0' { '\u{fffd}' } else { letter }).collect()
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

/// Applies a report, in the name of the orchestrator of its task.
pub(crate) async fn apply(server: &Arc<Server>, uuid: Uuid, report: &Report) -> Outcome<Heard> {
    let mut tx = server.change(Tolerance::Unstoppable).await?;
    let Some(family) = Family::lock(&tx, uuid).await? else { return Ok(Heard::Unknown) };
    tx.goes_on_as(principal::orchestrator(&family.task.orchestrator));
    let (TaskStatus::Running, Some(work)) = (family.task.status, family.task.name.work()) else {
        tracing::debug!(task = %uuid, "a report about a task that is over");
        return Ok(Heard::Outdated);
    };
    if let Some(cluster) = family.task.cluster {
        clusters::find_locked(&tx, cluster).await?;
    }
    let parts = parts_in(&tx, &family.task, report).await?;
    let changes = listen(&family.task, work, &parts, report);
    let mut nodes = nodes_in(&tx, &family.task, &parts, &changes, report).await?;
    let was_found = note_reached(&tx, &mut nodes, report).await?;
    let has_moved = !changes.is_empty();
    move_nodes(&mut tx, &family, work, nodes, &parts, changes).await?;
    let (mean, open) = store::tasks::tally(&*tx, family.task.id).await?;
    let progress = report.progress.map_or(mean, |progress| mean.max(i32::from(progress))).min(99);
    let is_news = has_moved || was_found;
    if open > 0 {
        if !is_news && progress <= family.task.progress {
            return Ok(Heard::Outdated);
        }
        save_progress(&mut tx, family, progress).await?;
    } else {
        if !is_news && is_being_stopped(&tx, &family.task).await? {
            // The stop has brought all of it to an end, and says so at its own.
            return Ok(Heard::Outdated);
        }
        let parts = store::tasks::nodes_of(&*tx, family.task.id).await?;
        conclude(&mut tx, family, work, parts).await?;
    }
    tx.commit().await?;
    server.nudge();
    Ok(Heard::Applied)
}

/// The parts of a task that a report is about.
async fn parts_in(tx: &ChangeTx, task: &Task, report: &Report) -> Outcome<BTreeMap<i64, TaskNode>> {
    let found = if report.rest.is_some() {
        store::tasks::nodes_of(&**tx, task.id).await?
    } else {
        let ids: BTreeSet<i64> = report.nodes.iter().map(|said| said.node).collect();
        store::tasks::nodes_among(&**tx, task.id, &ids.into_iter().collect::<Vec<_>>()).await?
    };
    Ok(found.into_iter().map(|part| (part.node, part)).collect())
}

/// The nodes that a report is about, locked: those that still are in the cluster of the task.
async fn nodes_in(
    tx: &ChangeTx,
    task: &Task,
    parts: &BTreeMap<i64, TaskNode>,
    changes: &BTreeMap<i64, (TaskNode, Place)>,
    report: &Report,
) -> Outcome<BTreeMap<i64, Node>> {
    let reached = report.nodes.iter().filter(|said| said.online.is_some() && parts.contains_key(&said.node));
    let ids: Vec<i64> = changes.keys().copied().chain(reached.map(|said| said.node)).collect();
    let found = store::nodes::find_all_locked(&**tx, &tx.domain(), &ids).await?;
    Ok(found.into_iter().filter(|node| node.cluster == task.cluster).map(|node| (node.id, node)).collect())
}

/// Notes which nodes can be reached; whether that was news.
async fn note_reached(tx: &ChangeTx, nodes: &mut BTreeMap<i64, Node>, report: &Report) -> Outcome<bool> {
    let mut was_news = false;
    for (id, online) in report.nodes.iter().filter_map(|said| Some((said.node, said.online?))) {
        if let Some(node) = nodes.get_mut(&id).filter(|node| node.online != online) {
            presence::turn(tx, node, online).await?;
            was_news = true;
        }
    }
    Ok(was_news)
}

/// Writes down what became of parts of a task, and moves their nodes.
async fn move_nodes(
    tx: &mut ChangeTx,
    family: &Family,
    work: Work,
    mut nodes: BTreeMap<i64, Node>,
    parts: &BTreeMap<i64, TaskNode>,
    changes: BTreeMap<i64, (TaskNode, Place)>,
) -> Outcome<()> {
    let mut gone = Vec::new();
    for (id, (mut part, place)) in changes {
        let was = parts.get(&id).map(|part| part.status);
        match nodes.remove(&id) {
            // Only a node that still is where the task brought it is moved.
            Some(node) if Some(node.status) == was => {
                if work == Work::Stop && place != Place::Stays {
                    end_in_stopped(tx, family, &part).await?;
                }
                match place {
                    Place::Gone => gone.push(node),
                    place => go(tx, work, node, &part, place).await?,
                }
            }
            Some(node) if !part.is_open() => part.status = node.status,
            _ => {}
        }
        store::tasks::update_node(&**tx, family.task.id, &part).await?;
    }
    nodes::erase(tx, gone).await
}

/// What a stop took out of other work has ended there as well.
async fn end_in_stopped(tx: &ChangeTx, stop: &Family, ended: &TaskNode) -> Outcome<()> {
    for stopped in &stop.stopped {
        for part in store::tasks::nodes_among(&**tx, stopped.id, &[ended.node]).await? {
            let part = TaskNode { status: ended.status, progress: 100, message: Some("stopped".to_owned()), ..part };
            store::tasks::update_node(&**tx, stopped.id, &part).await?;
        }
    }
    Ok(())
}

async fn is_being_stopped(tx: &ChangeTx, task: &Task) -> Outcome<bool> {
    let Some(cluster) = task.cluster else { return Ok(false) };
    let unfinished = store::tasks::unfinished_in(&**tx, cluster).await?;
    Ok(unfinished.iter().any(|other| other.id != task.id && other.name == TaskKind::StopDeployment))
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
        Said::Failed(message) => News::Ended(Happening::Failed, Some(plain(message))),
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
