//! Work that goes on as long as the server does: begun again when it fails, whatever made it fail.

use crate::{contain::panic_text, server::Server};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How long it is waited before the work is begun again, at first and at most.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// What becomes of work that is kept going.
pub(crate) enum Turn<'a> {
    /// It failed, and is begun again after so long.
    Failed { reason: &'a str, wait: Duration },
    /// It is begun again.
    Again,
}

/// Begins work of the server's own that is to go on until it stops; it is dropped then. That it ends is a failure as well.
pub(crate) fn spawn<F>(server: &Arc<Server>, name: &str, work: impl Fn(Arc<Server>) -> F + Send + Sync + 'static)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (owner, name) = (Arc::clone(server), name.to_owned());
    let stopping = server.stopping.clone();
    server.work.spawn(async move {
        let run = || async {
            match AssertUnwindSafe(async { work(Arc::clone(&owner)).await }).catch_unwind().await {
                Ok(Ok(())) => Err("it ended".to_owned()),
                Ok(Err(reason)) => Err(reason),
                Err(panic) => Err(format!("it panicked: {}", panic_text(&*panic))),
            }
        };
        let tell = |turn: Turn<'_>| {
            if let Turn::Failed { reason, wait } = turn {
                tracing::warn!(
                    work = name,
                    reason,
                    again_in_ms = wait.as_millis(),
                    "work in the background is begun again"
                );
            }
        };
        stopping.run_until_cancelled(keep_going(run, &stopping, tell)).await;
    });
}

/// Runs work until it ends well, or ends somehow after it was told to.
pub(crate) async fn keep_going<F>(work: impl Fn() -> F, stopping: &CancellationToken, tell: impl Fn(Turn<'_>))
where
    F: Future<Output = Result<(), String>>,
{
    let mut wait = FIRST;
    loop {
        let begin = Instant::now();
        let Err(reason) = work().await else { return };
        if stopping.is_cancelled() {
            return;
        }
        // After it had gone well for a while, it is given its first chance again.
        wait = if begin.elapsed() > LONGEST { FIRST } else { wait };
        tell(Turn::Failed { reason: &reason, wait });
        if stopping.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
        tell(Turn::Again);
        wait = (wait * 2).min(LONGEST);
    }
}
