//! The one way in which a task and its nodes learn what the orchestrator did.
//!
//! A report may come twice, late, or out of order. It moves a node out of the status that the task gave it, and nowhere
//! else; progress never goes back; what is unknown or over is ignored. What has happened cannot be refused, so that a
//! hook that fails is noted and left behind.

use super::Work;
use crate::{
    change::{ChangeTx, Tolerance, clusters, nodes},
    error::{Outcome, Refusal, chain},
    model::{ClusterStatus, Node, NodeStatus, SentDocument, Task, TaskStatus, Topic},
    server::Server,
    store::{self, NewNotification, TaskNode},
};
use backon::{ExponentialBuilder, Retryable};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// What an orchestrator has to say about a task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) nodes: Vec<(i64, Said)>,
    /// The task as a whole failed: every node that is not done did.
    pub(crate) error: Option<String>,
}

/// What is said about one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// So many per cent are done.
    Progress(u8),
    Done,
    Failed(String),
}

impl Report {
    pub(crate) fn of(node: i64, said: Said) -> Self {
        Self { nodes: vec![(node, said)], error: None }
    }

    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self { nodes: Vec::new(), error: Some(reason.into()) }
    }
}

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

/// Ends a task in an error. Where it did not begin, its nodes and its cluster stay as they are.
///
/// # Errors
/// When the database did not let it, for as long as anybody would wait.
pub(crate) async fn fail(server: &Arc<Server>, task: &Task, extension: Option<String>, message: String) -> Outcome<()> {
    let attempt = || async {
        let mut tx = server.change(Tolerance::Unstoppable).await?;
        let Some(found) = store::tasks::find_locked(&*tx, task.uuid).await? else { return Ok(()) };
        match found.status {
            TaskStatus::Pending => {
                let (extension, message) = (extension.clone(), message.clone());
                end(&mut tx, Task { extension, ..found }, TaskStatus::Error, message, json!({})).await?;
            }
            // It began after all: its nodes have to be told.
            TaskStatus::Running => {
                tx.rollback().await?;
                return apply(server, task.uuid, &Report::failed(message.clone())).await;
            }
            TaskStatus::Ready | TaskStatus::Error => return Ok(()),
        }
        tx.commit().await
    };
    attempt.retry(ExponentialBuilder::default().with_max_times(8)).when(Refusal::may_pass).await
}

/// Ends a task that was to do everything but the dispatch; what it would have sent is kept.
pub(super) async fn finish_dry_run(
    server: &Arc<Server>,
    task: &Task,
    message: String,
    documents: &[SentDocument],
) -> Outcome<()> {
    let mut tx = server.change(Tolerance::Unstoppable).await?;
    let found = store::tasks::find_locked(&*tx, task.uuid).await?;
    if let Some(found) = found.filter(|found| found.status == TaskStatus::Pending) {
        store::sent::insert(&*tx, found.id, documents).await?;
        end(&mut tx, found, TaskStatus::Ready, message, json!({})).await?;
    }
    tx.commit().await
}

async fn apply(server: &Arc<Server>, uuid: Uuid, report: &Report) -> Outcome<()> {
    let mut tx = server.change(Tolerance::Unstoppable).await?;
    let running = store::tasks::find_locked(&*tx, uuid).await?.filter(|task| task.status == TaskStatus::Running);
    let Some((work, task)) = running.and_then(|task| Some((Work::of(task.name)?, task))) else {
        tracing::debug!(task = %uuid, "a report about a task that is unknown or over");
        return Ok(());
    };
    if let Some(cluster) = task.cluster {
        clusters::find_locked(&tx, cluster).await?;
    }
    for (node, said) in &report.nodes {
        match store::tasks::node_of(&*tx, task.id, *node).await? {
            Some(part) => hear(&mut tx, &task, work, part, said).await?,
            None => tracing::warn!(task = task.id, node, "a report about a node that is not in the task"),
        }
    }
    if let Some(error) = &report.error {
        for part in store::tasks::nodes_of(&*tx, task.id).await? {
            hear(&mut tx, &task, work, part, &Said::Failed(error.clone())).await?;
        }
    }
    let (progress, open) = store::tasks::tally(&*tx, task.id).await?;
    let task = Task { progress: progress.max(task.progress), ..task };
    if open == 0 {
        conclude(&mut tx, task, work).await?;
    } else {
        store::tasks::update(&*tx, &task).await?;
    }
    tx.commit().await
}

/// Applies what is said about one node, if the node still is where the task brought it.
async fn hear(tx: &mut ChangeTx, task: &Task, work: Work, part: TaskNode, said: &Said) -> Outcome<()> {
    // Only the end of the work brings a node to 100.
    if part.progress == 100 {
        return Ok(());
    }
    let (status, progress, message) = match said {
        Said::Progress(progress) => (work.during, i32::from(*progress).min(99).max(part.progress), None),
        Said::Done => (work.after, 100, None),
        Said::Failed(message) => (NodeStatus::Error, 100, Some(message.clone())),
    };
    if (part.status, part.progress) == (status, progress) {
        return Ok(());
    }
    let part = TaskNode { node: part.node, status, progress, message: message.clone() };
    store::tasks::update_node(&**tx, task.id, &part).await?;
    let before = store::nodes::find_locked(&**tx, &tx.domain(), part.node).await?;
    let Some(before) = before.filter(|node| node.status == work.during) else { return Ok(()) };
    if status == work.during {
        return Ok(store::nodes::set_progress(&**tx, before.id, progress).await?);
    }
    let mut after = Node { status, progress, ..before.clone() };
    if let Some(message) = message {
        after.error_type = Some(work.error);
        after.error_msg = Some(message);
    } else {
        after.pending_addition = false;
    }
    nodes::save(tx, &before, &after).await
}

/// All nodes are done: the task ends, and the cluster shows what came of it.
async fn conclude(tx: &mut ChangeTx, task: Task, work: Work) -> Outcome<()> {
    let parts = store::tasks::nodes_of(&**tx, task.id).await?;
    let cluster = match task.cluster {
        Some(id) => Some(clusters::find_locked(tx, id).await?),
        None => None,
    };
    let name = cluster.as_ref().map_or("", |cluster| &cluster.name);
    let failed: Vec<String> = parts
        .iter()
        .filter_map(|part| part.message.as_ref().map(|message| format!("node {}: {message}", part.node)))
        .collect();
    let result = parts
        .into_iter()
        .map(|part| (part.node.to_string(), json!({"status": part.status, "message": part.message})))
        .collect();
    let (status, message) = if failed.is_empty() {
        (TaskStatus::Ready, format!("{} of cluster '{name}' is done", work.noun))
    } else {
        (TaskStatus::Error, format!("{} has failed. {}", work.noun, shortened(&failed)))
    };
    if let Some(before) = cluster {
        let members = store::nodes::of_cluster(&**tx, &tx.domain(), before.id).await?;
        let mut after = before.clone();
        after.status = match status {
            TaskStatus::Error => ClusterStatus::Error,
            _ if members.iter().all(|node| node.status == NodeStatus::Ready) => ClusterStatus::Operational,
            _ => ClusterStatus::PartiallyDeployed,
        };
        if after.status == ClusterStatus::Operational {
            after.changes.clear();
        }
        clusters::save(tx, &before, &after).await?;
    }
    end(tx, task, status, message, result).await
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

async fn end(
    tx: &mut ChangeTx,
    task: Task,
    status: TaskStatus,
    message: String,
    result: serde_json::Value,
) -> Outcome<()> {
    let topic = if status == TaskStatus::Ready { Topic::Done } else { Topic::Error };
    let notification = NewNotification {
        topic,
        message: message.clone(),
        time: tx.now,
        cluster: task.cluster,
        node: None,
        task: Some(task.id),
        extension: task.extension.clone(),
    };
    store::notifications::insert(&**tx, notification).await?;
    let task = Task { status, progress: 100, message, result, time_end: Some(tx.now), ..task };
    Ok(store::tasks::update(&**tx, &task).await?)
}
