//! From a cluster to an orchestrator and back: serialize → pipelines → dispatch → reports.
//!
//! [`request`] checks and writes down what is wanted; the [`driver`] sees whose turn it is; [`run`] does it. Between them
//! there is nothing but the task's row, so that a server which is killed finds it again. Nothing of a node or a cluster
//! changes before every pipeline has succeeded, and nothing is sent before the change is committed. What is heard goes
//! through [`report`], and [`conclude`] draws the consequences of an end.

mod conclude;
mod desk;
mod driver;
mod explain;
mod local;
mod log;
mod orchestrator;
mod pipelines;
mod removal;
mod report;
mod request;
mod run;
mod sent;
mod serialize;
mod stop;

pub(crate) use desk::desk;
pub(crate) use driver::start;
pub(crate) use explain::{Explanation, Trace, explain};
pub(crate) use local::{Local, LocalSettings};
pub(crate) use orchestrator::{ByName, orchestrators};
pub(crate) use removal::{delete_cluster, delete_nodes};
pub(crate) use report::fail;
pub(crate) use request::{Wanted, WorkRequest, request};
pub(crate) use serialize::{Selection, preview};
pub(crate) use stop::stop;

use crate::{
    error::Outcome,
    model::{Task, Work, words},
    server::Server,
    store,
};
use std::{sync::Arc, time::Duration};

words! {
    /// The two kinds of data that are made for an orchestrator.
    pub(crate) enum DataKind {
        /// What a node needs to do its work.
        Deployment = "deployment",
        /// What is needed to give a node an operating system.
        Provisioning = "provisioning",
    }
}

impl DataKind {
    pub(crate) const ALL: [Self; 2] = [Self::Deployment, Self::Provisioning];

    /// The data that this work needs, where it needs any of its own.
    pub(crate) const fn of(work: Work) -> Option<Self> {
        match work {
            Work::Provision => Some(Self::Provisioning),
            Work::Deployment => Some(Self::Deployment),
            Work::Stop | Work::Reset | Work::Removal => None,
        }
    }
}

/// How long it is waited for the end of work that nobody waits for any more.
const ABANDONING: Duration = Duration::from_secs(15);

/// Ends a task that nobody waits for any more, and the work on it: its nodes must not wait for reports that nobody will hear.
pub(crate) async fn give_up(server: &Arc<Server>, task: &Task, reason: &str) -> Outcome<()> {
    let parts = store::tasks::parts_of(server.store.reader(), task.id).await?;
    let unfinished = parts.iter().chain([task]).filter(|task| !task.status.is_final());
    let (stops, others): (Vec<&Task>, Vec<&Task>) = unfinished.partition(|task| task.name.work() == Some(Work::Stop));
    // What a stop had withheld is offered again when it fails. By then nobody may hold it back any more.
    abandon(server, &stops).await;
    fail(server, task, None, reason.to_owned()).await?;
    abandon(server, &others).await;
    Ok(())
}

/// Ends the work on tasks, as far as their orchestrators can.
async fn abandon(server: &Arc<Server>, tasks: &[&Task]) {
    for task in tasks {
        server.abandon(task.uuid);
        let Some(orchestrator) = server.orchestrators.get(&task.orchestrator) else { continue };
        match tokio::time::timeout(ABANDONING, orchestrator.abandon(server, task.uuid)).await {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => tracing::warn!(task = task.id, reason, "work on a task may go on"),
            Err(_) => tracing::warn!(task = task.id, "work on a task goes on, however often it is told to end"),
        }
    }
}

/// Ends all work on a cluster.
async fn end_all(server: &Arc<Server>, cluster: i64, reason: &str) -> Outcome<()> {
    for task in store::tasks::unfinished_in(server.store.reader(), cluster).await? {
        give_up(server, &task, reason).await?;
    }
    Ok(())
}
