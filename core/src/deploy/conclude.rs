//! A task ends, and with it what follows from it.

use crate::{
    change::{ChangeTx, clusters},
    error::Outcome,
    model::{ABORTED, ClusterStatus, NodeStatus, Task, TaskKind, TaskNode, TaskStatus, Topic, Work, aggregate},
    store::{self, NewNotification},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A task with those that change with it, all of them locked.
pub(super) struct Family {
    pub(super) task: Task,
    /// What it is a part of.
    pub(super) whole: Option<Task>,
    /// Where it is a stop, what it stops: all other tasks of the cluster that have not ended, a whole before its parts.
    pub(super) stopped: Vec<Task>,
}

impl Family {
    pub(super) async fn lock(tx: &ChangeTx, uuid: Uuid) -> Outcome<Option<Self>> {
        let Some(task) = store::tasks::find_by_uuid(&**tx, uuid).await? else { return Ok(None) };
        let mut ids: Vec<i64> = task.parent_id.into_iter().chain([task.id]).collect();
        if let (TaskKind::StopDeployment, Some(cluster)) = (task.name, task.cluster) {
            ids.extend(store::tasks::unfinished_in(&**tx, cluster).await?.iter().map(|task| task.id));
        }
        let mut locked = store::tasks::find_all_locked(&**tx, &ids).await?;
        let mut take = |id: i64| Some(locked.remove(locked.iter().position(|task| task.id == id)?));
        let Some(own) = take(task.id) else { return Ok(None) };
        let whole = task.parent_id.and_then(take);
        locked.retain(|task| !task.status.is_final());
        Ok(Some(Self { task: own, whole, stopped: locked }))
    }
}

/// Notes how far a task is, and the whole that it is a part of.
pub(super) async fn save_progress(tx: &mut ChangeTx, family: Family, progress: i32) -> Outcome<()> {
    let task = Task { progress: progress.max(family.task.progress), ..family.task };
    save(tx, &task, task.status).await?;
    settle_whole(tx, family.whole).await
}

/// All nodes of a task have ended: so does the task, and the cluster shows what came of it.
pub(super) async fn conclude(tx: &mut ChangeTx, family: Family, work: Work, parts: Vec<TaskNode>) -> Outcome<()> {
    let Family { task, whole, stopped } = family;
    let failed: Vec<String> = parts
        .iter()
        .filter_map(|part| part.message.as_ref().map(|message| format!("node {}: {message}", part.node)))
        .collect();
    let result: Value = parts
        .iter()
        .map(|part| (part.node.to_string(), json!({"status": part.status, "message": part.message})))
        .collect();
    let cluster = match task.cluster {
        Some(id) => Some(clusters::find_locked(tx, id).await?),
        None => None,
    };
    let name = cluster.as_ref().map_or_else(String::new, |cluster| cluster.name.clone());
    let ended_well = failed.is_empty();
    let mut told = told(task.name, &name, parts.len());
    if let Some(cluster) = cluster {
        let goes_on = ended_well && is_followed(tx, whole.as_ref(), &task).await?;
        let has_stopped = |part: &TaskNode| matches!(part.status, NodeStatus::Stopped | NodeStatus::Discover);
        let came_too_late = work == Work::Stop && !parts.iter().any(has_stopped);
        match (task.name, ended_well) {
            (TaskKind::ClusterDeletion, true) => told = clusters::erase(tx, &cluster, parts.len()).await?,
            (_, false) if cluster.status.may_become(ClusterStatus::Error) => {
                clusters::save_status(tx, &cluster, ClusterStatus::Error).await?;
            }
            (_, false) => {}
            _ if goes_on => {}
            _ if came_too_late && stopped.is_empty() => {
                told = format!("the work on cluster '{name}' had ended before it was stopped");
            }
            _ => clusters::settle(tx, cluster.id, Some(work)).await?,
        }
    }
    for stopped in stopped {
        end_stopped(tx, stopped).await?;
    }
    let (status, message) = match ended_well {
        true => (TaskStatus::Ready, told),
        false => (TaskStatus::Error, format!("{} has failed. {}", noun(task.name), shortened(&failed))),
    };
    // The cluster of a task that has deleted it is gone.
    let cluster = if task.name == TaskKind::ClusterDeletion && ended_well { None } else { task.cluster };
    end(tx, Task { cluster, ..task }, status, message, result).await?;
    settle_whole(tx, whole).await?;
    leave_nothing_in_deployment(tx, cluster).await
}

/// Shows how a cluster stands that no work is done on any more.
pub(super) async fn leave_nothing_in_deployment(tx: &mut ChangeTx, cluster: Option<i64>) -> Outcome<()> {
    let Some(id) = cluster else { return Ok(()) };
    let is_in_deployment = clusters::find(tx, id).await?.status == ClusterStatus::Deployment;
    if is_in_deployment && store::tasks::unfinished_in(&**tx, id).await?.is_empty() {
        clusters::settle(tx, id, None).await?;
    }
    Ok(())
}

/// Whether another part of the whole comes after this one.
async fn is_followed(tx: &ChangeTx, whole: Option<&Task>, task: &Task) -> Outcome<bool> {
    let Some(whole) = whole else { return Ok(false) };
    let parts = store::tasks::parts_of(&**tx, whole.id).await?;
    Ok(parts.iter().any(|part| part.id != task.id && !part.status.is_final()))
}

/// Brings a task up to date with its parts; where one of them failed, those that have not begun are over.
pub(super) async fn settle_whole(tx: &mut ChangeTx, whole: Option<Task>) -> Outcome<()> {
    let Some(whole) = whole.filter(|whole| !whole.status.is_final()) else { return Ok(()) };
    let parts = store::tasks::parts_of(&**tx, whole.id).await?;
    let (status, progress, message) = aggregate(&whole, &parts);
    if parts.iter().any(|part| part.status == TaskStatus::Error) {
        for part in parts.into_iter().filter(|part| part.status == TaskStatus::Pending) {
            end(tx, part, TaskStatus::Error, ABORTED.to_owned(), json!({})).await?;
        }
    }
    if status.is_final() {
        return end(tx, whole, status, message, json!({})).await;
    }
    save(tx, &Task { progress, ..whole }, status).await
}

/// Ends a task, and tells people of it; of a part they hear through the whole.
pub(super) async fn end(
    tx: &mut ChangeTx,
    task: Task,
    status: TaskStatus,
    message: String,
    result: Value,
) -> Outcome<()> {
    if status == TaskStatus::Error {
        put_changes_back(tx, &task).await?;
    }
    if task.parent_id.is_none() {
        let notification = NewNotification {
            topic: if status == TaskStatus::Ready { Topic::Done } else { Topic::Error },
            message: message.clone(),
            time: tx.now,
            cluster: task.cluster,
            node: None,
            task: Some(task.id),
            extension: task.extension.clone(),
        };
        store::notifications::insert(tx, notification).await?;
    }
    save(tx, &Task { progress: 100, message, result, time_end: Some(tx.now), ..task }, status).await
}

/// Ends a task that was stopped; people hear of it through the stop.
pub(super) async fn end_stopped(tx: &mut ChangeTx, task: Task) -> Outcome<()> {
    put_changes_back(tx, &task).await?;
    let message = if task.status == TaskStatus::Running { "stopped" } else { "stopped before it began" };
    let task = Task { progress: 100, message: message.to_owned(), time_end: Some(tx.now), ..task };
    save(tx, &task, TaskStatus::Error).await
}

/// What was in the data of a deployment did not arrive.
async fn put_changes_back(tx: &mut ChangeTx, task: &Task) -> Outcome<()> {
    match task.cluster {
        Some(cluster)
            if task.name == TaskKind::Deployment && !task.dry_run && store::sent::is_kept(&**tx, task.id).await? =>
        {
            clusters::note_changes(tx, cluster, &clusters::ALL_CHANGES).await
        }
        _ => Ok(()),
    }
}

/// Writes a task, and moves it to a status that it may move to.
pub(super) async fn save(tx: &ChangeTx, task: &Task, status: TaskStatus) -> Outcome<()> {
    task.status.check(status)?;
    Ok(store::tasks::update(tx, &Task { status, ..task.clone() }).await?)
}

/// What there is to say of a task that ended well.
fn told(kind: TaskKind, cluster: &str, nodes: usize) -> String {
    match kind {
        TaskKind::StopDeployment => format!("the work on cluster '{cluster}' was stopped"),
        TaskKind::ResetEnvironment => format!("cluster '{cluster}' was reset"),
        TaskKind::NodeDeletion => format!("{nodes} node{} deleted", if nodes == 1 { " is" } else { "s are" }),
        kind => format!("{} of cluster '{cluster}' is done", noun(kind)),
    }
}

fn noun(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Provision => "Provision",
        TaskKind::Deployment | TaskKind::Deploy => "Deployment",
        TaskKind::StopDeployment => "Stopping",
        TaskKind::ResetEnvironment => "Reset",
        TaskKind::NodeDeletion | TaskKind::ClusterDeletion | TaskKind::Super => "Removal",
    }
}

/// The first of many messages, and how many there are.
fn shortened(messages: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = messages.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match messages.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
