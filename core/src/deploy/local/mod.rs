//! The embedded orchestrator: runs a command of the operator on this machine, one process a node.
//!
//! The command gets the node's merged document as JSON on its standard input, and the node's names in its environment
//! (`RIVETGUN_NODE_ID`, `RIVETGUN_NODE_NAME`, `RIVETGUN_CLUSTER`, `RIVETGUN_TASK`, `RIVETGUN_WORK`). A line
//! `progress 40` on its standard output tells how far it is; every other line, and its standard error, is the task's log.
//! Exit code 0 means done, any other code that the node failed. Without a command the document is written to a file, for
//! whatever picks it up.

mod command;
mod log;

use super::{
    DataKind,
    orchestrator::{Dispatch, Orchestrator},
    report::{self, Report, Said},
};
use crate::{
    model::{LogStream, Merged, Node},
    server::Server,
};
use command::{Command, Ended, Spoken};
use futures_util::{StreamExt, future::BoxFuture, stream};
use log::Log;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    num::{NonZeroU16, NonZeroU64},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The section `[orchestrators.local]` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LocalSettings {
    /// The shell command that provisions a node; without one, documents are written to files.
    pub(crate) provision: Option<String>,
    /// The shell command that deploys a node; without one, documents are written to files.
    pub(crate) deploy: Option<String>,
    /// How many nodes are worked on at once.
    pub(crate) parallel: NonZeroU16,
    /// How long a command may take, in seconds.
    pub(crate) time_limit: NonZeroU64,
}

impl Default for LocalSettings {
    fn default() -> Self {
        let (parallel, time_limit) = (NonZeroU16::MIN.saturating_add(7), NonZeroU64::MIN.saturating_add(5399));
        Self { provision: None, deploy: None, parallel, time_limit }
    }
}

impl LocalSettings {
    fn command(&self, kind: DataKind) -> Option<&str> {
        match kind {
            DataKind::Provisioning => self.provision.as_deref(),
            DataKind::Deployment => self.deploy.as_deref(),
        }
    }
}

/// The orchestrator `local`.
#[derive(Debug)]
pub(crate) struct Local {
    settings: LocalSettings,
    /// Where documents are written for which there is no command.
    outbox: PathBuf,
    /// The tasks that are worked on, and what ends them.
    running: Mutex<BTreeMap<Uuid, CancellationToken>>,
}

/// A task that is worked on.
struct Job<'a> {
    server: &'a Arc<Server>,
    dispatch: &'a Dispatch,
    log: Log,
    stop: CancellationToken,
}

impl Local {
    pub(crate) fn new(settings: LocalSettings, state_dir: &Path) -> Self {
        Self { settings, outbox: state_dir.join("outbox"), running: Mutex::default() }
    }

    async fn work_on(&self, server: &Arc<Server>, dispatch: &Dispatch) {
        let job =
            Job { server, dispatch, log: Log::open(server, dispatch.task.id), stop: server.stopping.child_token() };
        self.running().insert(dispatch.task.uuid, job.stop.clone());
        stream::iter(dispatch.nodes.iter())
            .for_each_concurrent(usize::from(self.settings.parallel.get()), |node| self.work_on_node(&job, node))
            .await;
        self.running().remove(&dispatch.task.uuid);
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Uuid, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work_on_node(&self, job: &Job<'_>, node: &Node) {
        let outcome = match job.dispatch.data.node(node.id) {
            _ if job.stop.is_cancelled() => Err(STOPPED.to_owned()),
            None => Err("there is no data for it".to_owned()),
            Some(document) => {
                let document = serde_json::to_vec(&Merged::new(job.dispatch.data.common(), document));
                match (document, self.settings.command(job.dispatch.work.data)) {
                    (Err(error), _) => Err(format!("its document cannot be written: {error}")),
                    (Ok(document), None) => self.write_down(job, node, &document).await,
                    (Ok(document), Some(line)) => self.run(job, node, document, line).await,
                }
            }
        };
        // The log comes first: whoever sees the task's end shall find all of it.
        job.log.flush().await;
        job.report(node, outcome.map_or_else(Said::Failed, |()| Said::Done)).await;
    }

    async fn run(&self, job: &Job<'_>, node: &Node, document: Vec<u8>, line: &str) -> Result<(), String> {
        let command = Command {
            line,
            environment: vec![
                ("RIVETGUN_TASK", job.dispatch.task.uuid.to_string()),
                ("RIVETGUN_WORK", job.dispatch.task.name.to_string()),
                ("RIVETGUN_CLUSTER", job.dispatch.data.cluster().name.clone()),
                ("RIVETGUN_NODE_ID", node.id.to_string()),
                ("RIVETGUN_NODE_NAME", node.name.clone()),
            ],
            input: document,
            time_limit: Duration::from_secs(self.settings.time_limit.get()),
        };
        let (speaking, mut heard) = mpsc::channel(64);
        let listen = async {
            while let Some(spoken) = heard.recv().await {
                match spoken {
                    Spoken::Line(stream, line) => job.log.write(Some(node.id), stream, line).await,
                    Spoken::Progress(percent) => job.report(node, Said::Progress(percent)).await,
                }
            }
        };
        let (ended, ()) = tokio::join!(command.run(&job.stop, speaking), listen);
        match ended.map_err(|error| format!("the command could not be run: {error}"))? {
            Ended::Well => Ok(()),
            Ended::Code { code, last_words } if last_words.is_empty() => {
                Err(format!("the command ended with exit code {code}"))
            }
            Ended::Code { code, last_words } => Err(format!("the command ended with exit code {code}: {last_words}")),
            Ended::Signal => Err("the command was ended by a signal".to_owned()),
            Ended::TooLate => {
                Err(format!("the command took longer than {} s and was killed", self.settings.time_limit))
            }
            Ended::Stopped => Err(STOPPED.to_owned()),
        }
    }

    /// Writes a document to `outbox/<task>/<node>.json`, whole or not at all.
    async fn write_down(&self, job: &Job<'_>, node: &Node, document: &[u8]) -> Result<(), String> {
        let folder = self.outbox.join(job.dispatch.task.uuid.to_string());
        let path = folder.join(format!("{}.json", node.id));
        let written = async {
            tokio::fs::create_dir_all(&folder).await?;
            let unfinished = path.with_extension("json.part");
            tokio::fs::write(&unfinished, document).await?;
            tokio::fs::rename(&unfinished, &path).await
        };
        written.await.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        let line = format!("no command is set, wrote {}", path.display());
        job.log.write(Some(node.id), LogStream::Rivetgun, line).await;
        Ok(())
    }
}

impl Job<'_> {
    async fn report(&self, node: &Node, said: Said) {
        report::deliver(self.server, self.dispatch.task.uuid, Report::of(node.id, said)).await;
    }
}

/// Why a node is in error whose command was ended with the server.
const STOPPED: &str = "the server was stopped while it worked on this; ask for it again";

impl Orchestrator for Local {
    fn abandon(&self, task: Uuid) {
        if let Some(stop) = self.running().get(&task) {
            stop.cancel();
        }
    }

    fn dispatch<'a>(&'a self, server: &'a Arc<Server>, dispatch: Dispatch) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            // The task that dispatches is tracked by the server and has nothing else to do.
            self.work_on(server, &dispatch).await;
            Ok(())
        })
    }
}
