//! Calls those who hear of monitoring points.

use super::{Call, Fault, OwnThread, contain_plain};
use crate::{
    extension::{ExtensionContext, Kind, SetupContext},
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

/// Whether an extension hears of points, with its settings.
pub(crate) fn monitors(loaded: &Loaded, cx: &SetupContext<'_>) -> bool {
    let call = Call { extension: loaded.metadata.name, method: "monitors", limit: Duration::MAX };
    loaded.metadata.overrides("on_monitoring")
        && contain_plain(call, || Ok(loaded.extension().monitors(cx))).unwrap_or_default()
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
        Fault::Panicked(_) | Fault::TimedOut(_) | Fault::HeldUp(_) => NotWritten::Transient(fault),
        Fault::Failed(error) if matches!(error.kind(), Kind::Unavailable(..)) => NotWritten::Transient(fault),
        Fault::Failed(_) | Fault::Refused(_) => NotWritten::Poison(fault),
    })
}
