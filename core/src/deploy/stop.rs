//! The work on a cluster is stopped.

use super::conclude::{end, end_stopped, settle_whole};
use crate::{
    change::{Tolerance, clusters},
    error::{Outcome, Refusal},
    model::{ClusterStatus, Task, TaskKind, TaskNode, TaskStatus, Work},
    server::Server,
    store::{self, NewTask},
};
use serde_json::json;
use std::sync::Arc;

/// Stops what runs on a cluster. Where nothing was sent yet, that is done at once, and the task that is given back is ready.
pub(crate) async fn stop(server: &Arc<Server>, cluster: i64) -> Outcome<Task> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let known = store::tasks::unfinished_in(&*tx, cluster).await?;
    // A part may belong to a whole that is in no cluster.
    let ids: Vec<i64> = known.iter().flat_map(|task| [Some(task.id), task.parent_id]).flatten().collect();
    // Tasks are locked before their cluster; which they are cannot be known before it is.
    let locked = store::tasks::find_all_locked(&*tx, &ids).await?.into_iter().filter(|task| !task.status.is_final());
    let (unfinished, elsewhere): (Vec<Task>, Vec<Task>) = locked.partition(|task| task.cluster == Some(cluster));
    let before = clusters::find_locked(&tx, cluster).await?;
    let now: Vec<i64> = store::tasks::unfinished_in(&*tx, cluster).await?.iter().map(|task| task.id).collect();
    if now != unfinished.iter().map(|task| task.id).collect::<Vec<_>>() {
        return Err(Refusal::Conflict("the work changed at this very moment; try again".to_owned()));
    }
    let Some(first) = unfinished.first() else {
        return Err(Refusal::Conflict(format!("nothing runs in cluster '{}'", before.name)));
    };
    if let Some(stop) = unfinished.iter().find(|task| task.name == TaskKind::StopDeployment) {
        let detail = format!("task {} is stopping it already; wait until it has ended", stop.id);
        return Err(Refusal::Conflict(detail));
    }
    let unstoppable = |task: &&Task| !matches!(task.name.work(), None | Some(Work::Provision | Work::Deployment));
    if let Some(task) = unfinished.iter().filter(|task| task.status == TaskStatus::Running).find(unstoppable) {
        let detail = format!("task {} ({}) cannot be stopped; wait until it has ended", task.id, task.name);
        return Err(Refusal::Conflict(detail));
    }
    // Whoever works on it stops it: with `local`, nobody else could.
    let new = NewTask {
        orchestrator: first.orchestrator.clone(),
        server: first.server,
        ..tx.new_task(TaskKind::StopDeployment, Some(&before))
    };
    let running = unfinished.iter().find(|task| task.status == TaskStatus::Running && task.name.work().is_some());
    let task = match running {
        Some(running) => {
            let parts = store::tasks::nodes_of(&*tx, running.id).await?;
            let open: Vec<TaskNode> = parts.into_iter().filter(TaskNode::is_open).map(TaskNode::anew).collect();
            store::tasks::insert(&tx, new, &open).await?
        }
        None => {
            let task = store::tasks::insert(&tx, new, &[]).await?;
            let message = format!("the work on cluster '{}' was stopped before anything was sent", before.name);
            for task in unfinished {
                end_stopped(&mut tx, task).await?;
            }
            for whole in elsewhere {
                settle_whole(&mut tx, Some(whole)).await?;
            }
            // Parts of the work may be done already.
            if before.status == ClusterStatus::Deployment {
                clusters::save_status(&mut tx, &before, ClusterStatus::Stopped).await?;
            }
            end(&mut tx, task.clone(), TaskStatus::Ready, message, json!({})).await?;
            store::tasks::find(&*tx, task.id).await?.unwrap_or(task)
        }
    };
    tx.commit().await?;
    server.nudge();
    Ok(task)
}

/// The task that is to be stopped, or nothing where it has ended. While nobody has taken it on it is not offered any
/// more: an orchestrator that comes back later is to hear of the stop, and not of the work first.
pub(super) async fn withhold(server: &Arc<Server>, stop: &Task) -> Outcome<Option<Task>> {
    let Some(cluster) = stop.cluster else { return Ok(None) };
    loop {
        let unfinished = store::tasks::unfinished_in(server.store.reader(), cluster).await?;
        let is_it =
            |task: &&Task| task.id != stop.id && task.status == TaskStatus::Running && task.name.work().is_some();
        let stopped = unfinished.into_iter().find(|task| is_it(&task));
        match stopped {
            Some(stopped) if stopped.receipt.is_none() && server.let_go(stopped.uuid).await => {}
            stopped => return Ok(stopped),
        }
    }
}
