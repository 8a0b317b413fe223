//! What an orchestrator is to the server: its own `local`, or one of an extension behind the door of [`contain`].

use super::{log, report};
use crate::{
    change::{ChangeTx, clusters},
    contain,
    error::{Outcome, Refusal},
    extension::{Desk, Dispatch, Error, Heard, Leash, Orchestrator, OrchestratorContext, Receipt, Report, Result},
    model::LogStream,
    registry::{LOCAL, Loaded, Registry},
    server::Server,
    store::{self, WriteTx},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};
use uuid::Uuid;

/// [`Orchestrator`], as the server calls it. What it answers is a receipt, or why it does not do it, for people.
pub(crate) trait DynOrchestrator: Send + Sync {
    fn dispatch<'a>(&'a self, server: &'a Arc<Server>, dispatch: &'a Dispatch) -> BoxFuture<'a, Taken>;

    fn resume<'a>(
        &'a self,
        server: &'a Arc<Server>,
        dispatch: &'a Dispatch,
        receipt: Option<Receipt>,
    ) -> BoxFuture<'a, Taken>;

    fn listen<'a>(&'a self, server: &'a Arc<Server>) -> BoxFuture<'a, std::result::Result<(), String>>;

    /// Ends the work on a task that nobody waits for any more, and waits until it has ended, as far as that can be.
    fn abandon<'a>(&'a self, server: &'a Arc<Server>, task: Uuid) -> BoxFuture<'a, std::result::Result<(), String>>;

    /// Why it cannot be used, where its extension has failed.
    fn failure(&self) -> Option<String> {
        None
    }
}

pub(crate) type Taken = std::result::Result<Receipt, String>;

/// The orchestrators of a server, by name.
pub(crate) type ByName = BTreeMap<String, Arc<dyn DynOrchestrator>>;

/// All orchestrators: the core's own, and those of the extensions.
pub(crate) fn orchestrators(local: impl DynOrchestrator + 'static, registry: &Registry) -> ByName {
    let mut all = ByName::from([(LOCAL.to_owned(), Arc::new(local) as _)]);
    for loaded in registry.iter() {
        for (name, orchestrator) in &loaded.orchestrators {
            let orchestrator = Arc::clone(orchestrator);
            let contained = Contained { loaded: Arc::clone(loaded), orchestrator, leash: OnceLock::new() };
            all.insert((*name).to_owned(), Arc::new(contained));
        }
    }
    all
}

/// The orchestrator of an extension.
struct Contained {
    loaded: Arc<Loaded>,
    orchestrator: Arc<dyn Orchestrator>,
    leash: OnceLock<Arc<Leash>>,
}

impl Contained {
    fn context(&self, server: &Arc<Server>) -> OrchestratorContext {
        let scope = server.scope(&self.loaded, server.clock.now());
        let leash = self.leash.get_or_init(|| server.leash());
        OrchestratorContext::new(scope, server.background_store.clone(), desk(server), leash)
    }

    fn check(&self) -> std::result::Result<(), String> {
        self.failure().map_or(Ok(()), Err)
    }
}

impl DynOrchestrator for Contained {
    fn dispatch<'a>(&'a self, server: &'a Arc<Server>, dispatch: &'a Dispatch) -> BoxFuture<'a, Taken> {
        Box::pin(async move {
            self.check()?;
            let cx = self.context(server);
            contain::orchestrate(&self.loaded, "dispatch", || self.orchestrator.dispatch(&cx, dispatch)).await
        })
    }

    fn resume<'a>(
        &'a self,
        server: &'a Arc<Server>,
        dispatch: &'a Dispatch,
        receipt: Option<Receipt>,
    ) -> BoxFuture<'a, Taken> {
        Box::pin(async move {
            if let (Err(_), Some(receipt)) = (self.check(), &receipt) {
                // The work goes on outside. It is heard of again when the extension works again.
                return Ok(receipt.clone());
            }
            self.check()?;
            let cx = self.context(server);
            contain::orchestrate(&self.loaded, "resume", || self.orchestrator.resume(&cx, dispatch, receipt)).await
        })
    }

    fn listen<'a>(&'a self, server: &'a Arc<Server>) -> BoxFuture<'a, std::result::Result<(), String>> {
        Box::pin(async move {
            if self.check().is_err() {
                // There is nobody to listen to, for as long as the server runs.
                return std::future::pending().await;
            }
            let cx = self.context(server);
            contain::orchestrate(&self.loaded, "listen", || self.orchestrator.listen(&cx)).await
        })
    }

    fn abandon<'a>(&'a self, server: &'a Arc<Server>, task: Uuid) -> BoxFuture<'a, std::result::Result<(), String>> {
        Box::pin(async move {
            self.check()?;
            let cx = self.context(server);
            contain::orchestrate(&self.loaded, "abandon", || self.orchestrator.abandon(&cx, task)).await
        })
    }

    fn failure(&self) -> Option<String> {
        let reason = self.loaded.condition.failure()?;
        Some(format!("extension `{}`, whose orchestrator it is, has failed: {reason}", self.loaded.metadata.name))
    }
}

/// The server as contexts need it.
pub(crate) fn desk(server: &Arc<Server>) -> Arc<dyn Desk> {
    Arc::new(ServerDesk(Arc::clone(server)))
}

struct ServerDesk(Arc<Server>);

impl Desk for ServerDesk {
    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    fn report<'a>(&'a self, extension: &'static str, task: Uuid, report: Report) -> BoxFuture<'a, Result<Heard>> {
        Box::pin(async move {
            match self.task_of(extension, task).await.map_err(error)? {
                Some(_) => report::apply(&self.0, task, &report).await.map_err(error),
                None => Ok(Heard::Unknown),
            }
        })
    }

    fn log<'a>(
        &'a self,
        extension: &'static str,
        task: Uuid,
        lines: Vec<(Option<i64>, String)>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let unknown = || Error::not_found(format!("task {task} does not exist"));
            let found = self.task_of(extension, task).await.map_err(error)?.ok_or_else(unknown)?;
            log::write_lines(&self.0, found, LogStream::Orchestrator, lines).await.map_err(error)
        })
    }

    fn commit(
        &self,
        transaction: WriteTx,
        now: DateTime<Utc>,
        noted: Vec<(i64, &'static str)>,
    ) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut tx = ChangeTx::over(&self.0, transaction, now);
            for (cluster, what) in noted {
                clusters::find_locked(&tx, cluster).await.map_err(error)?;
                clusters::note_changes(&mut tx, cluster, &[what]).await.map_err(error)?;
            }
            tx.commit().await.map_err(error)
        })
    }
}

impl ServerDesk {
    /// The task with this uuid, if one of the extension's orchestrators works on it.
    async fn task_of(&self, extension: &str, uuid: Uuid) -> Outcome<Option<i64>> {
        let Some(task) = store::tasks::find_by_uuid(self.0.store.reader(), uuid).await? else { return Ok(None) };
        let loaded = self.0.registry.find(extension);
        let is_its =
            loaded.is_some_and(|loaded| loaded.orchestrators.iter().any(|(name, _)| *name == task.orchestrator));
        Ok(is_its.then_some(task.id))
    }
}

fn error(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Database(error) => error.into(),
        Refusal::Vetoed(_) => Error::conflict(refusal.to_string()),
        Refusal::NotFound(detail) => Error::not_found(detail),
        other => Error::failed(other.to_string()),
    }
}
