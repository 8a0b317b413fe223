//! The embedded orchestrator: runs a command of the operator on this machine, one process a node.
//!
//! The command gets the node's merged document as JSON on its standard input, and the node's names in its environment
//! (`RIVETGUN_NODE_ID`, `RIVETGUN_NODE_NAME`, `RIVETGUN_CLUSTER`, `RIVETGUN_TASK`, `RIVETGUN_WORK`). A line
//! `progress 40` on its standard output tells how far it is; every other line, and its standard error, is the task's log.
//! Exit code 0 means done, any other code that the node failed. Without a command the document is written to a file, for
//! whatever picks it up.

mod command;
mod group;
mod settings;

pub(crate) use settings::LocalSettings;

use super::{
    log::Log,
    orchestrator::{DynOrchestrator, Taken},
    report,
};
use crate::{
    extension::{Dispatch, Receipt, Report, Said},
    model::{LogStream, Node, Work},
    server::Server,
};
use command::{Command, Ended, Spoken};
use futures_util::{StreamExt, future::BoxFuture, stream};
use group::Groups;
use settings::Limits;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{OnceCell, mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The orchestrator `local`.
#[derive(Debug, Clone)]
pub(crate) struct Local(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: LocalSettings,
    /// Where documents are written for which there is no command.
    outbox: PathBuf,
    /// The tasks that are worked on, and what ends them.
    running: Mutex<BTreeMap<Uuid, Running>>,
    /// The process groups that run, for the next start.
    groups: Groups,
    /// Whether what an earlier run of this server left is ended.
    cleared: OnceCell<()>,
}

/// A task that is worked on.
#[derive(Debug, Clone)]
struct Running {
    stop: CancellationToken,
    /// Closed when nothing of it runs any more.
    ended: watch::Receiver<()>,
}

impl Running {
    /// Ends it, and waits until nothing of it runs any more.
    async fn end(mut self) {
        self.stop.cancel();
        // It never changes; it is closed.
        let _ = self.ended.changed().await;
    }
}

/// The work on a task.
struct Job {
    server: Arc<Server>,
    dispatch: Dispatch,
    log: Log,
    /// Ends it without a word: whoever asks for that tells of it.
    stop: CancellationToken,
}

impl Local {
    pub(crate) fn new(settings: LocalSettings, state_dir: &Path) -> Self {
        Self(Arc::new(Shared {
            settings,
            outbox: state_dir.join("outbox"),
            running: Mutex::default(),
            groups: Groups::new(state_dir),
            cleared: OnceCell::new(),
        }))
    }
}

impl Shared {
    /// Ends what an earlier run of this server left running, before anything else is done.
    async fn clear(&self) {
        self.cleared.get_or_init(|| self.groups.end_leftovers()).await;
    }

    /// Works on a task in the background; the server waits for it when it stops.
    fn spawn(self: &Arc<Self>, server: &Arc<Server>, dispatch: Dispatch) {
        let (running, ended) = watch::channel(());
        let stop = CancellationToken::new();
        let job =
            Job { log: Log::open(server, dispatch.task), server: Arc::clone(server), stop: stop.clone(), dispatch };
        self.running().insert(job.dispatch.task, Running { stop, ended });
        let shared = Arc::clone(self);
        server.work.spawn(async move {
            stream::iter(job.dispatch.nodes.iter())
                .for_each_concurrent(usize::from(shared.settings.parallel.get()), |node| {
                    shared.work_on_node(&job, node)
                })
                .await;
            shared.running().remove(&job.dispatch.task);
            drop(running);
        });
    }

    /// Ends the work on another task, and tells when nothing of it runs any more.
    fn spawn_stop(self: &Arc<Self>, server: &Arc<Server>, task: Uuid, stopped: Option<Uuid>) {
        let running = stopped.and_then(|stopped| self.running().get(&stopped).cloned());
        let server = Arc::clone(server);
        server.clone().work.spawn(async move {
            if let Some(running) = running {
                running.end().await;
            }
            report::deliver(&server, task, Report::done()).await;
        });
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Uuid, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work_on_node(&self, job: &Job, node: &Node) {
        let work = job.dispatch.work;
        let outcome = match self.settings.command(work) {
            _ if job.stop.is_cancelled() => return,
            _ if job.server.stopping.is_cancelled() => Err(STOPPED.to_owned()),
            None if matches!(work, Work::Reset | Work::Removal) => {
                let line = format!("no command is set for the {work} of a node: nothing is run");
                job.log.write(Some(node.id), LogStream::Rivetgun, line).await;
                Ok(())
            }
            command => match (job.input(node), command) {
                (Err(reason), _) => Err(reason),
                (Ok(document), None) => self.write_down(job, node, &document).await,
                (Ok(document), Some(line)) => self.run(job, node, document, line).await,
            },
        };
        // The log comes first: whoever sees the task's end shall find all of it.
        job.log.flush().await;
        if !job.stop.is_cancelled() {
            job.report(node, outcome.map_or_else(Said::Failed, |()| Said::Done)).await;
        }
    }

    async fn run(&self, job: &Job, node: &Node, document: Vec<u8>, line: &str) -> Result<(), String> {
        let limits = self.settings.limits;
        let command = Command {
            line: &limits.before(line),
            environment: vec![
                ("RIVETGUN_TASK", job.dispatch.task.to_string()),
                ("RIVETGUN_WORK", job.dispatch.work.to_string()),
                ("RIVETGUN_CLUSTER", job.dispatch.cluster.name.clone()),
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
        let not_run = |error| format!("the command could not be run: {error}");
        let process = command.spawn().map_err(not_run)?;
        let kept = match process.group() {
            Some(group) => self.groups.keep(job.dispatch.task, node.id, group).await,
            None => None,
        };
        let stops = [&job.stop, &job.server.stopping];
        let (ended, ()) = tokio::join!(process.see_through(stops, speaking), listen);
        self.groups.forget(kept).await;
        match ended.map_err(not_run)? {
            Ended::Well => Ok(()),
            Ended::Code { code, last_words } if Limits::is_refusal(code, &last_words) => Err(last_words),
            Ended::Code { code, last_words } if last_words.is_empty() => {
                Err(format!("the command ended with exit code {code}"))
            }
            Ended::Code { code, last_words } => Err(format!("the command ended with exit code {code}: {last_words}")),
            Ended::Signal(signal) => Err(match limits.that_ends_with(signal) {
                Some(limit) => format!("the command reached the limit {limit} and was ended"),
                None => format!("the command was ended by signal {signal}"),
            }),
            Ended::TooLate => {
                Err(format!("the command took longer than {} s and was killed", self.settings.time_limit))
            }
            Ended::Stopped => Err(STOPPED.to_owned()),
        }
    }

    /// Writes a document to `outbox/<task>/<node>.json`, whole or not at all.
    async fn write_down(&self, job: &Job, node: &Node, document: &[u8]) -> Result<(), String> {
        let folder = self.outbox.join(job.dispatch.task.to_string());
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

impl Job {
    /// What the command of a node gets: its merged document, or what all nodes share where the work has no data of its own.
    fn input(&self, node: &Node) -> Result<Vec<u8>, String> {
        match self.dispatch.work {
            Work::Provision | Work::Deployment => {
                self.dispatch.documents.merged(node.id).map_err(|error| error.to_string())
            }
            Work::Stop | Work::Reset | Work::Removal => Ok(self.dispatch.documents.common().json().into()),
        }
    }

    async fn report(&self, node: &Node, said: Said) {
        report::deliver(&self.server, self.dispatch.task, Report::new().node(node.id, said)).await;
    }
}

/// Why a node is in error whose command was ended with the server.
const STOPPED: &str = "the server was stopped while it worked on this; ask for it again";

impl DynOrchestrator for Local {
    fn dispatch<'a>(&'a self, server: &'a Arc<Server>, dispatch: &'a Dispatch) -> BoxFuture<'a, Taken> {
        Box::pin(async move {
            self.0.clear().await;
            match dispatch.work {
                Work::Stop => self.0.spawn_stop(server, dispatch.task, dispatch.stops),
                _ => self.0.spawn(server, dispatch.clone()),
            }
            Ok(Receipt::new("a process for each node"))
        })
    }

    /// The processes ended with the server, or, where it was killed, now.
    fn resume<'a>(
        &'a self,
        server: &'a Arc<Server>,
        dispatch: &'a Dispatch,
        _receipt: Option<Receipt>,
    ) -> BoxFuture<'a, Taken> {
        match dispatch.work {
            Work::Stop => self.dispatch(server, dispatch),
            _ => Box::pin(async {
                self.0.clear().await;
                Err(STOPPED.to_owned())
            }),
        }
    }

    fn listen<'a>(&'a self, _server: &'a Arc<Server>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async {
            // Also where no task tells of it any more.
            self.0.clear().await;
            std::future::pending().await
        })
    }

    fn abandon<'a>(&'a self, _server: &'a Arc<Server>, task: Uuid) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let running = self.0.running().get(&task).cloned();
            if let Some(running) = running {
                running.end().await;
            }
            Ok(())
        })
    }
}
