//! Calls what an extension does at the beginning and at the end of its life, and its background work.
//!
//! All of that runs on threads of its own. A call that blocks its thread is waited for until its time is up, and left alone
//! then.

use super::{Call, Fault, OwnThread, log};
use crate::{
    extension::{BackgroundWork, Error, ExtensionContext, StartContext, TaskContext},
    registry::Loaded,
};
use std::{future::Future, sync::Arc, time::Duration};

pub(crate) async fn initialize(loaded: &Arc<Loaded>, cx: ExtensionContext, limit: Duration) -> Result<(), Fault> {
    let extension = Arc::clone(loaded);
    on_own_thread(loaded, "initialize", limit, || async move { extension.extension().initialize(&cx).await }).await
}

pub(crate) async fn start(loaded: &Arc<Loaded>, cx: StartContext, limit: Duration) -> Result<(), Fault> {
    let extension = Arc::clone(loaded);
    on_own_thread(loaded, "start", limit, || async move { extension.extension().start(&cx).await }).await
}

pub(crate) async fn close(loaded: &Arc<Loaded>, cx: ExtensionContext, limit: Duration) -> Result<(), Fault> {
    let extension = Arc::clone(loaded);
    on_own_thread(loaded, "close", limit, || async move { extension.extension().close(&cx).await }).await
}

/// Runs background work once, on its thread. How long it takes is its own affair.
pub(crate) async fn work(
    thread: &OwnThread,
    loaded: &Loaded,
    name: &'static str,
    work: &Arc<BackgroundWork>,
    cx: TaskContext,
) -> Result<(), Fault> {
    let call = Call { extension: loaded.metadata.name, method: name, limit: Duration::MAX };
    let work = Arc::clone(work);
    thread.call(call, move || work(cx)).await.inspect_err(|fault| log(call, fault))
}

/// Calls a method, if the extension has it.
async fn on_own_thread<F>(
    loaded: &Loaded,
    method: &'static str,
    limit: Duration,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<(), Fault>
where
    F: Future<Output = Result<(), Error>> + Send,
{
    if !loaded.metadata.overrides(method) {
        return Ok(());
    }
    let call = Call { extension: loaded.metadata.name, method, limit };
    let thread = OwnThread::new(format!("{} {method}", call.extension));
    thread.call(call, work).await.inspect_err(|fault| log(call, fault))
}
