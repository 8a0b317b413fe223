//! The only door into the code of extensions. Whatever happens behind it, the caller gets a value back.
//!
//! Contained are panics (when called, and while polled), slowness and errors. Not contained, since it is one process:
//! `unsafe`, memory, `process::exit`, and code that blocks its thread, which a time limit cannot interrupt.

mod assembly;
mod delivery;
mod handler;
mod hooks;
mod life;
mod measure;
mod monitoring;
mod orchestrators;
mod provider;
mod stages;
mod thread;

pub(crate) use crate::error::panic_text;
pub(crate) use assembly::{Parts, assemble, demo};
pub(crate) use delivery::deliver;
pub(crate) use handler::contained;
pub(crate) use hooks::{HookFault, call_hook};
pub(crate) use life::{close, initialize, start, work};
pub(crate) use measure::collectors;
pub(crate) use monitoring::{NotWritten, monitors, on_monitoring};
pub(crate) use orchestrators::orchestrate;
pub(crate) use stages::{StageCall, prepare, run_stage};
pub(crate) use thread::OwnThread;

use crate::extension::{Error, Kind};
use futures_util::FutureExt;
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use tracing::Instrument;

#[cfg(panic = "abort")]
compile_error!("rivetgun contains the panics of extensions, which needs `panic = \"unwind\"`");

/// What is called, for logs and limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) extension: &'static str,
    pub(crate) method: &'static str,
    pub(crate) limit: Duration,
}

/// How a call ended that did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The extension refused, which is its right.
    #[error("{0}")]
    Refused(String),
    /// The extension failed.
    #[error("failed: {0}")]
    Failed(Error),
    /// The extension panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// The extension took too long.
    #[error("took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The extension blocked its thread for longer than it may take, and may still.
    #[error("blocked its thread for longer than {} ms", .0.as_millis())]
    Blocked(Duration),
    /// It was not called, or not to its end, for a reason that is not its own.
    #[error("was held up: {0}")]
    HeldUp(String),
}

impl Fault {
    /// How long the extension asks to wait before it is called again for the same.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Failed(error) => match error.kind() {
                Kind::Unavailable(_, wait) => *wait,
                _ => None,
            },
            Self::Refused(_) | Self::Panicked(_) | Self::TimedOut(_) | Self::Blocked(_) | Self::HeldUp(_) => None,
        }
    }

    /// What anybody may read of a fault in `place`: an extension's own words only where it chose them for callers.
    pub(crate) fn public(&self, place: &str) -> String {
        match self {
            Self::Refused(reason) => format!("refused in {place}: {reason}"),
            Self::Failed(error) if !matches!(error.kind(), Kind::Failed(_)) => format!("failed in {place}: {error}"),
            Self::Failed(_) => format!("failed in {place}; the server's log tells why"),
            Self::Panicked(_) => format!("panicked in {place}; the server's log tells where"),
            Self::TimedOut(limit) => format!("took longer than {} ms in {place}", limit.as_millis()),
            Self::Blocked(limit) => format!("blocked its thread for longer than {} ms in {place}", limit.as_millis()),
            Self::HeldUp(reason) => format!("was held up in {place}: {reason}"),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Veto(reason) => Self::Refused(reason.to_string()),
            _ => Self::Failed(error),
        }
    }
}

/// Runs one asynchronous call. It takes a closure and not a future, since a hook can panic before its first await.
pub(crate) async fn contain<T, F>(call: Call, work: impl FnOnce() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Error>>,
{
    attempt(call, work).await.inspect_err(|fault| log(call, fault))
}

/// Runs one asynchronous call, and leaves it to the caller to log how it ended.
async fn attempt<T, F>(call: Call, work: impl FnOnce() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Error>>,
{
    let start = Instant::now();
    // An error span, so that it exists at every log level and what is logged inside carries the name.
    let span = tracing::error_span!("extension", extension = call.extension, hook = call.method);
    let guarded = AssertUnwindSafe(async move { work().await }).catch_unwind();
    let outcome = tokio::time::timeout(call.limit, guarded).instrument(span).await;
    let outcome = match outcome {
        Err(_) => Err(Fault::TimedOut(call.limit)),
        Ok(Err(payload)) => Err(Fault::Panicked(panic_text(&*payload))),
        Ok(Ok(outcome)) => outcome.map_err(Fault::from),
    };
    measure::called(call, start.elapsed());
    outcome.inspect_err(|fault| measure::faulted(call, fault))
}

/// Runs one plain call. Its time is nobody's to limit, or to measure: it may be one of thousands; see [`stages`].
pub(crate) fn contain_plain<T>(call: Call, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Fault> {
    let _span = tracing::error_span!("extension", extension = call.extension, hook = call.method).entered();
    let outcome = match std::panic::catch_unwind(AssertUnwindSafe(work)) {
        Err(payload) => Err(Fault::Panicked(panic_text(&*payload))),
        Ok(outcome) => outcome.map_err(Fault::from),
    };
    outcome.inspect_err(|fault| {
        measure::faulted(call, fault);
        log(call, fault);
    })
}

fn log(call: Call, fault: &Fault) {
    let Call { extension, method, .. } = call;
    if let Fault::Refused(reason) = fault {
        tracing::info!(extension, hook = method, %reason, "extension refused");
    } else {
        tracing::error!(extension, hook = method, %fault, "extension failed");
    }
}
