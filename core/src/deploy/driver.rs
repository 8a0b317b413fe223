//! Takes up the tasks whose turn it is.
//!
//! What is to be done stands in the database, so that whoever changes a task only says that something changed; this is
//! the one place that takes work up, for a request, after a report, and after a restart.

use super::run::{self, From};
use crate::{
    error::Outcome,
    model::{Task, TaskStatus},
    server::Server,
    store, supervise,
};
use std::{sync::Arc, time::Duration};

/// How long what another server changed may go unseen.
const POLL: Duration = Duration::from_secs(2);

/// Takes up what an earlier run of this server left: what had not begun is only due, and what ran is resumed. Then works, in
/// the background, on whatever becomes due, and listens to the orchestrators.
pub(crate) async fn start(server: &Arc<Server>) -> Outcome<()> {
    for task in store::tasks::unfinished_of(server.store.reader(), server.id).await? {
        if task.status == TaskStatus::Running && task.name.work().is_some() {
            tracing::info!(task = task.id, "taking up a task that an earlier run of this server left");
            run::spawn(server, task, From::ARestart);
        }
    }
    supervise::spawn(server, "work", take_up);
    for (name, orchestrator) in server.orchestrators.clone() {
        supervise::spawn(server, &format!("orchestrator {name}"), move |server| {
            let orchestrator = Arc::clone(&orchestrator);
            async move { orchestrator.listen(&server).await }
        });
    }
    Ok(())
}

async fn take_up(server: Arc<Server>) -> Result<(), String> {
    let mut changed = server.changed();
    loop {
        changed.mark_unchanged();
        let unfinished = store::tasks::unfinished_of(server.store.reader(), server.id).await;
        let unfinished = unfinished.map_err(|error| crate::error::chain(&error))?;
        for task in unfinished.iter().filter(|task| is_due(task, &unfinished)) {
            run::spawn(&server, task.clone(), From::TheStart);
        }
        // Whether it changed or not is the same here.
        let _ = tokio::time::timeout(POLL, changed.changed()).await;
    }
}

/// A task is due that has not begun, unless an earlier part of its whole has not ended, or is being stopped.
fn is_due(task: &Task, unfinished: &[Task]) -> bool {
    let is_before = |other: &Task| other.parent_id.is_some() && other.parent_id == task.parent_id && other.id < task.id;
    task.status == TaskStatus::Pending && task.name.work().is_some() && !unfinished.iter().any(is_before)
}
