//! Calls those who hear of monitoring points.

use super::{Call, Fault, attempt, contain_plain};
use crate::{
    extension::{ExtensionContext, Kind, SetupContext},
    model::Point,
    principal,
    registry::Loaded,
};
use std::time::Duration;

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
    loaded: &Loaded,
    cx: &ExtensionContext,
    points: &[Point],
    limit: Duration,
) -> Result<(), NotWritten> {
    let call = Call { extension: loaded.metadata.name, method: "on_monitoring", limit };
    let acting = principal::extension(call.extension);
    let attempt = attempt(call, || principal::acting(acting, loaded.extension().on_monitoring(cx, points)));
    attempt.await.map_err(|fault| match &fault {
        Fault::Panicked(_) | Fault::TimedOut(_) => NotWritten::Transient(fault),
        Fault::Failed(error) if matches!(error.kind(), Kind::Unavailable(..)) => NotWritten::Transient(fault),
        Fault::Failed(_) | Fault::Refused(_) => NotWritten::Poison(fault),
    })
}
