//! Makes an extension and collects what it declares: plain calls, once at boot.

use super::{Call, Fault, contain_plain};
use crate::extension::{
    Called, Declared, DeclaredType, Demo, DynExtension, DynPipeline, Orchestrator, Provided, Registration,
    SectionError, SetupContext, UrlEntry,
};
use sea_orm_migration::MigrationTrait;
use std::{any::Any, sync::Arc, time::Duration};

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

/// Makes an extension and asks it for its parts. The fault carries the method in which it happened.
pub(crate) fn assemble(registration: &Registration, section: toml::Table) -> Result<Parts, (&'static str, Fault)> {
    let name = registration.metadata.name;
    let extension = contained_call(name, "default", || (registration.make)())?;
    let settings = contained_call(name, "settings", || extension.settings(section))?;
    let subscriptions = match &settings {
        Ok(settings) => {
            let cx = SetupContext { metadata: registration.metadata, settings: &**settings };
            contained_call(name, "subscriptions", || extension.subscriptions(&cx).into_vec())?
        }
        Err(_) => Vec::new(),
    };
    let refusal = match &settings {
        Ok(settings) => {
            let cx = SetupContext { metadata: registration.metadata, settings: &**settings };
            contained_call(name, "validate", || extension.validate(&cx))?.err().map(|refusal| refusal.to_string())
        }
        Err(_) => None,
    };
    Ok(Parts {
        settings,
        refusal,
        subscriptions,
        urls: contained_call(name, "urls", || extension.urls().into_entries())?,
        migrations: contained_call(name, "migrations", || extension.migrations().into_vec())?,
        pipelines: contained_call(name, "pipelines", || extension.pipelines().into_vec())?,
        provides: contained_call(name, "provides", || extension.provides().into_vec())?,
        calls: contained_call(name, "calls", || extension.calls().into_vec())?,
        events: contained_call(name, "events", || extension.events().into_vec())?,
        orchestrators: contained_call(name, "orchestrators", || extension.orchestrators().into_vec())?,
        extension,
    })
}

/// Makes an extension and asks it for its demo, before there are settings: the demo brings them.
pub(crate) fn demo(registration: &Registration) -> Result<Demo, (&'static str, Fault)> {
    let name = registration.metadata.name;
    let extension = contained_call(name, "default", || (registration.make)())?;
    contained_call(name, "demo", || extension.demo())
}

fn contained_call<T>(
    extension: &'static str,
    method: &'static str,
    work: impl FnOnce() -> T,
) -> Result<T, (&'static str, Fault)> {
    let call = Call { extension, method, limit: Duration::MAX };
    contain_plain(call, || Ok(work())).map_err(|fault| (method, fault))
}
