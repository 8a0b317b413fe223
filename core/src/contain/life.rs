//! Calls what an extension does at the beginning and at the end of its life, and its background work.
//!
//! `initialize`, `start` and `close` run on a thread of their own. One that blocks it is waited for until its time is up, and
//! left alone then: neither the threads that serve requests nor the end of the process wait for it.

use super::{Call, Fault, contain, log};
use crate::{
    extension::{BackgroundWork, Error, ExtensionContext, StartContext, TaskContext},
    principal,
    registry::Loaded,
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::oneshot};

/// What a call that keeps to its time limit needs beyond that to tell so.
const LEEWAY: Duration = Duration::from_millis(250);

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

/// Runs background work once. How long it takes is its own affair.
pub(crate) async fn work(
    loaded: &Loaded,
    name: &'static str,
    work: &BackgroundWork,
    cx: TaskContext,
) -> Result<(), Fault> {
    let call = Call { extension: loaded.metadata.name, method: name, limit: Duration::MAX };
    principal::acting(principal::extension(call.extension), contain(call, || work(cx))).await
}

/// Calls a method, if the extension has it. When nobody waits for it any more, it is dropped where it waits itself.
async fn on_own_thread<F>(
    loaded: &Loaded,
    method: &'static str,
    limit: Duration,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<(), Fault>
where
    F: Future<Output = Result<(), Error>>,
{
    if !loaded.metadata.overrides(method) {
        return Ok(());
    }
    let call = Call { extension: loaded.metadata.name, method, limit };
    let (mut tell, told) = oneshot::channel();
    let (handle, span) = (Handle::current(), tracing::Span::current());
    let run = move || {
        let _span = span.entered();
        handle.block_on(async move {
            let called = principal::acting(principal::extension(call.extension), contain(call, work));
            let outcome = tokio::select! {
                outcome = called => outcome,
                () = tell.closed() => return,
            };
            // Whoever waited may have given up just now.
            drop(tell.send(outcome));
        });
    };
    let thread = std::thread::Builder::new().name(format!("{} {method}", call.extension)).spawn(run);
    thread.map_err(|error| Fault::Failed(error.into()))?;
    match tokio::time::timeout(limit.saturating_add(LEEWAY), told).await {
        Ok(Ok(outcome)) => outcome,
        // The thread ended without a word: what the future left behind panicked when it was dropped.
        Ok(Err(_)) => Err(Fault::Panicked("at its end".to_owned())),
        Err(_) => {
            let fault = Fault::TimedOut(limit);
            log(call, &fault);
            Err(fault)
        }
    }
}
