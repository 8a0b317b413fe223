//! What an orchestrator is to the server: its own `local`, or one of an extension behind the door of [`contain`].

use super::desk::desk;
use crate::{
    contain,
    extension::{Dispatch, Leash, Orchestrator, OrchestratorContext, Receipt},
    registry::{LOCAL, Loaded, Registry},
    server::Server,
};
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

    fn listen<'a>(&'a self, server: &'a Arc<Server>) -> BoxFuture<'a, Result<(), String>>;

    /// Ends the work on a task that nobody waits for any more, and waits until it has ended, as far as that can be.
    fn abandon<'a>(&'a self, server: &'a Arc<Server>, task: Uuid) -> BoxFuture<'a, Result<(), String>>;

    /// Why it cannot be used, where its extension has failed.
    fn failure(&self) -> Option<String> {
        None
    }
}

pub(crate) type Taken = Result<Receipt, String>;

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

    fn check(&self) -> Result<(), String> {
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

    fn listen<'a>(&'a self, server: &'a Arc<Server>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            if self.check().is_err() {
                // There is nobody to listen to, for as long as the server runs.
                return std::future::pending().await;
            }
            let cx = self.context(server);
            contain::orchestrate(&self.loaded, "listen", || self.orchestrator.listen(&cx)).await
        })
    }

    fn abandon<'a>(&'a self, server: &'a Arc<Server>, task: Uuid) -> BoxFuture<'a, Result<(), String>> {
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
