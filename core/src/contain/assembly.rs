//! Makes an extension and collects what it declares: plain calls, once at boot.
//!
//! They run on a thread of its own. One that blocks it is waited for until its time is up, and left alone then: the boot ends,
//! and says who is to blame.

use super::{Call, Fault, contain_plain, log, measure, panic_text};
use crate::extension::{
    Called, Declared, DeclaredType, Demo, DynExtension, DynPipeline, Orchestrator, Provided, Registration,
    SectionError, SetupContext, UrlEntry,
};
use sea_orm_migration::MigrationTrait;
use std::{
    any::Any,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};
use tokio::runtime::Handle;

/// An extension with what it declares.
pub(crate) struct Parts {
    pub(crate) extension: Box<dyn DynExtension>,
    /// Its settings, or what is wrong with its section.
    pub(crate) settings: Result<Arc<dyn Any + Send + Sync>, Vec<SectionError>>,
    /// What the extension itself has against its settings.
    pub(crate) refusal: Option<String>,
    pub(crate) urls: Vec<UrlEntry>,
    pub(crate) migrations: Vec<Arc<dyn MigrationTrait>>,
    pub(crate) pipelines: Vec<Arc<dyn DynPipeline>>,
    pub(crate) provides: Vec<Provided>,
    pub(crate) calls: Vec<Called>,
    pub(crate) orchestrators: Vec<(&'static str, Arc<dyn Orchestrator>)>,
    pub(crate) events: Vec<DeclaredType>,
    pub(crate) subscriptions: Vec<(String, Declared)>,
}

/// A method, and how a call of it ended.
type InMethod = (&'static str, Fault);

/// Makes an extension and asks it for its parts, each call within `limit`.
pub(crate) fn assemble(registration: Registration, section: toml::Table, limit: Duration) -> Result<Parts, InMethod> {
    aside(registration.metadata.name, limit, move |calls| {
        let extension = calls.make("default", || (registration.make)())?;
        let settings = calls.make("settings", || extension.settings(section))?;
        let (mut subscriptions, mut refusal) = (Vec::new(), None);
        if let Ok(settings) = &settings {
            let cx = SetupContext { metadata: registration.metadata, settings: &**settings };
            subscriptions = calls.make("subscriptions", || extension.subscriptions(&cx).into_vec())?;
            refusal = calls.make("validate", || extension.validate(&cx))?.err().map(|refusal| refusal.to_string());
        }
        Ok(Parts {
            settings,
            refusal,
            subscriptions,
            urls: calls.make("urls", || extension.urls().into_entries())?,
            migrations: calls.make("migrations", || extension.migrations().into_vec())?,
            pipelines: calls.make("pipelines", || extension.pipelines().into_vec())?,
            provides: calls.make("provides", || extension.provides().into_vec())?,
            calls: calls.make("calls", || extension.calls().into_vec())?,
            events: calls.make("events", || extension.events().into_vec())?,
            orchestrators: calls.make("orchestrators", || extension.orchestrators().into_vec())?,
            extension,
        })
    })
}

/// Makes an extension and asks it for its demo, before there are settings: the demo brings them.
pub(crate) fn demo(registration: Registration, limit: Duration) -> Result<Demo, InMethod> {
    aside(registration.metadata.name, limit, move |calls| {
        let extension = calls.make("default", || (registration.make)())?;
        calls.make("demo", || extension.demo())
    })
}

/// Calls of one extension.
pub(super) struct Calls {
    extension: &'static str,
    limit: Duration,
    begun: mpsc::Sender<&'static str>,
}

impl Calls {
    /// Makes a call. Its time begins now.
    pub(super) fn make<T>(&self, method: &'static str, work: impl FnOnce() -> T) -> Result<T, InMethod> {
        // Nobody hears it where a call before this one has taken too long.
        let _ = self.begun.send(method);
        let call = Call { extension: self.extension, method, limit: self.limit };
        contain_plain(call, || Ok(work())).map_err(|fault| (method, fault))
    }
}

/// Makes calls on a thread of their own, each within `limit`. The fault carries the method in which it happened.
pub(super) fn aside<T: Send + 'static>(
    extension: &'static str,
    limit: Duration,
    work: impl FnOnce(&Calls) -> Result<T, InMethod> + Send + 'static,
) -> Result<T, InMethod> {
    let (begun, told) = mpsc::channel();
    let (calls, runtime) = (Calls { extension, limit, begun }, Handle::try_current().ok());
    let run = move || {
        let _runtime = runtime.as_ref().map(Handle::enter);
        work(&calls)
    };
    let mut method = "default";
    let thread = std::thread::Builder::new().name(format!("{extension} declares")).spawn(run);
    let thread = thread.map_err(|error| (method, Fault::Failed(error.into())))?;
    loop {
        match told.recv_timeout(limit) {
            Ok(next) => method = next,
            Err(RecvTimeoutError::Disconnected) => {
                let ended = thread.join().map_err(|payload| (method, Fault::Panicked(panic_text(&*payload))));
                return ended.flatten();
            }
            Err(RecvTimeoutError::Timeout) => {
                let (call, fault) = (Call { extension, method, limit }, Fault::TimedOut(limit));
                measure::faulted(call, &fault);
                log(call, &fault);
                return Err((method, fault));
            }
        }
    }
}
