//! Calls those who hear of monitoring points.

use super::{Call, Fault, OwnThread, assembly::aside};
use crate::{
    extension::{ExtensionContext, Kind},
    model::Point,
    registry::Loaded,
};
use std::{sync::Arc, time::Duration};

/// Why points were not written.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// They may be the next time.
    Transient(Fault),
    /// At least one of them never will.
    Poison(Fault),
}

/// Whether an extension hears of points, with its settings; not one that does not say so within `limit`.
pub(crate) fn monitors(loaded: &Arc<Loaded>, limit: Duration) -> bool {
    let extension = Arc::clone(loaded);
    loaded.metadata.overrides("on_monitoring")
        && aside(loaded.metadata.name, limit, move |calls| {
            calls.make("monitors", || extension.extension().monitors(&extension.setup()))
        })
        .unwrap_or_default()
}

/// Hands points to an extension. Whoever calls this logs what becomes of it: the same may fail over and over.
pub(crate) async fn on_monitoring(
    thread: &OwnThread,
    loaded: &Arc<Loaded>,
    cx: ExtensionContext,
    points: impl AsRef<[Point]> + Send + 'static,
    limit: Duration,
) -> Result<(), NotWritten> {
    let call = Call { extension: loaded.metadata.name, method: "on_monitoring", limit };
    let extension = Arc::clone(loaded);
    let write = || async move { extension.extension().on_monitoring(&cx, points.as_ref()).await };
    thread.call(call, write).await.map_err(|fault| match &fault {
        Fault::Panicked(_) | Fault::TimedOut(_) | Fault::Blocked(_) | Fault::HeldUp(_) => NotWritten::Transient(fault),
        Fault::Failed(error) if matches!(error.kind(), Kind::Unavailable(..)) => NotWritten::Transient(fault),
        Fault::Failed(_) | Fault::Refused(_) => NotWritten::Poison(fault),
    })
}
