//! The life of the extensions in this process: each is initialized and started after those that it names in `after` and
//! `requires`, its background work is looked after, and it is closed before them.
//!
//! Extensions that do not wait for each other are called at the same time, at the beginning and at the end: one that is slow,
//! or hangs, holds up those alone that come after it, or before it.

mod background;

use crate::{
    contain::{self, Fault},
    extension::StartContext,
    model::Topic,
    registry::Loaded,
    server::Server,
    store::{self, NewNotification},
};
use futures_util::future::{join_all, try_join_all};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long the closing of extensions may take: of those that hear of points, and of all others.
const CLOSING: Duration = Duration::from_secs(10);
/// How long background work may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(2);

/// How far extensions are brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// They can be called, as a command needs it that changes something and ends.
    Initialized,
    /// They do their background work as well.
    Started,
}

/// A required extension that has failed.
#[derive(Debug)]
pub(crate) struct RequiredFailed {
    pub(crate) extension: &'static str,
    pub(crate) reason: String,
}

/// Why an extension has failed: for those who ask the server, and for those who look after it.
struct Failure {
    public: String,
    reason: String,
}

/// Brings all extensions up. One that fails is left out.
///
/// # Errors
/// When one fails that is required. The others are given up where they are then; what was initialized is to be closed.
pub(crate) async fn begin(server: &Arc<Server>, extent: Extent) -> Result<(), RequiredFailed> {
    let settled = tokens(server);
    let begin = async |loaded: &Arc<Loaded>| {
        for before in server.registry.before(loaded) {
            settled[before.place].cancelled().await;
        }
        let begun = begin_one(server, loaded, extent).await;
        settled[loaded.place].cancel();
        begun
    };
    try_join_all(server.registry.iter().map(begin)).await.map(drop)
}

/// Ends the background work of all extensions and closes those that were initialized, in the reverse order. Those that hear of
/// points of monitoring, and what they need for it, come last: they hear of what the others send at their end.
pub(crate) async fn close(server: &Arc<Server>) {
    let hearing = hearing(server);
    let (last, first): (Vec<_>, Vec<_>) = server.registry.iter().partition(|loaded| hearing.contains(&loaded.place));
    close_all(server, &first).await;
    server.monitor.close().await;
    close_all(server, &last).await;
    server.monitor.drop_rest();
}

/// The places of the extensions that hear of points, and of all that come before them.
fn hearing(server: &Server) -> BTreeSet<usize> {
    let mut hearing: BTreeSet<usize> = server.monitor.heard_by().map(|loaded| loaded.place).collect();
    for loaded in server.registry.iter().rev() {
        if hearing.contains(&loaded.place) {
            hearing.extend(server.registry.before(loaded).map(|before| before.place));
        }
    }
    hearing
}

/// Closes extensions. Of those that come after them, the ones that are not among them have been closed.
async fn close_all(server: &Arc<Server>, extensions: &[&Arc<Loaded>]) {
    let closed = tokens(server);
    let close = async |loaded: &Arc<Loaded>| {
        let is_before = |after: &&Arc<Loaded>| server.registry.before(after).any(|before| before.place == loaded.place);
        for after in extensions.iter().copied().filter(is_before) {
            closed[after.place].cancelled().await;
        }
        close_one(server, loaded).await;
        closed[loaded.place].cancel();
    };
    if tokio::time::timeout(CLOSING, join_all(extensions.iter().copied().map(close))).await.is_err() {
        tracing::warn!("extensions were not closed in time and are left as they are");
    }
}

/// One for each extension, by its place.
fn tokens(server: &Server) -> Vec<CancellationToken> {
    server.registry.iter().map(|_| CancellationToken::new()).collect()
}

async fn begin_one(server: &Arc<Server>, loaded: &Arc<Loaded>, extent: Extent) -> Result<(), RequiredFailed> {
    let extension = loaded.metadata.name;
    let Err(Failure { public, reason }) = bring_up(server, loaded, extent).await else {
        loaded.condition.run();
        return Ok(());
    };
    loaded.condition.fail(public.clone());
    let failed = Arc::clone(loaded);
    server.work.spawn(async move { end_background(&failed).await });
    if loaded.is_required {
        return Err(RequiredFailed { extension, reason });
    }
    tracing::error!(extension, reason, "an extension has failed; the server goes on without it");
    notify(server, extension, &public).await;
    Ok(())
}

async fn bring_up(server: &Arc<Server>, loaded: &Arc<Loaded>, extent: Extent) -> Result<(), Failure> {
    let failed = |required: &&Arc<Loaded>| required.condition.failure().is_some();
    if let Some(required) = server.registry.required_by(loaded).find(failed) {
        let reason = format!("it requires `{}`, which has failed", required.metadata.name);
        return Err(Failure { public: reason.clone(), reason });
    }
    let limits = &server.settings.limits;
    let in_method = |method: &'static str| move |fault: Fault| Failure::of(&fault, method);
    contain::initialize(loaded, server.background_context(loaded, &server.leash()), limits.initialize_timeout())
        .await
        .map_err(in_method("initialize"))?;
    loaded.condition.initialized();
    if extent == Extent::Started {
        let cx = StartContext::new(server.background_context(loaded, &server.leash()), background::of(server, loaded));
        contain::start(loaded, cx, limits.start_timeout()).await.map_err(in_method("start"))?;
    }
    Ok(())
}

async fn close_one(server: &Arc<Server>, loaded: &Arc<Loaded>) {
    end_background(loaded).await;
    if loaded.condition.take_initialized() {
        let limit = server.settings.limits.close_timeout();
        // What went wrong is in the log, and nobody is left to tell it to.
        drop(contain::close(loaded, server.background_context(loaded, &server.leash()), limit).await);
    }
}

/// Tells background work to end, and drops what does not.
async fn end_background(loaded: &Loaded) {
    let background = &loaded.background;
    background.stopping.cancel();
    background.tracker.close();
    if tokio::time::timeout(GRACE, background.tracker.wait()).await.is_err() {
        tracing::warn!(extension = loaded.metadata.name, "background work did not end in time and is dropped");
        background.dropped.cancel();
    }
}

impl Failure {
    fn of(fault: &Fault, method: &str) -> Self {
        Self { public: format!("it {}", fault.public(method)), reason: format!("`{method}` {fault}") }
    }
}

/// Tells people. That it cannot be told is no reason to fail.
async fn notify(server: &Server, extension: &str, reason: &str) {
    let now = server.clock.now();
    let notification = NewNotification {
        topic: Topic::Error,
        message: format!("extension `{extension}` has failed, and the server goes on without it: {reason}"),
        time: now,
        cluster: None,
        node: None,
        task: None,
        extension: Some(extension.to_owned()),
    };
    let written = async {
        let tx = server.store.write().await?.at(now);
        store::notifications::insert(&tx, notification).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(extension, %error, "a notification could not be written");
    }
}
