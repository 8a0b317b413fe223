//! Work that goes on as long as the server does: begun again when it ends, whatever ended it.

use crate::{contain::panic_text, server::Server};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long it is waited before the work is begun again, at first and at most.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// Begins work that is to go on until the server stops; it is dropped then.
pub(crate) fn spawn<F>(server: &Arc<Server>, name: &str, work: impl Fn(Arc<Server>) -> F + Send + Sync + 'static)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (owner, name) = (Arc::clone(server), name.to_owned());
    let stopping = server.stopping.clone();
    server.work.spawn(async move {
        stopping.run_until_cancelled(keep_going(owner, &name, work)).await;
    });
}

async fn keep_going<F>(server: Arc<Server>, name: &str, work: impl Fn(Arc<Server>) -> F)
where
    F: Future<Output = Result<(), String>>,
{
    let mut wait = FIRST;
    loop {
        let begin = Instant::now();
        let reason = match AssertUnwindSafe(async { work(Arc::clone(&server)).await }).catch_unwind().await {
            Ok(Ok(())) => "it ended".to_owned(),
            Ok(Err(reason)) => reason,
            Err(panic) => format!("it panicked: {}", panic_text(&*panic)),
        };
        // After it had gone well for a while, it is given its first chance again.
        wait = if begin.elapsed() > LONGEST { FIRST } else { wait };
        tracing::warn!(work = name, reason, again_in_ms = wait.as_millis(), "work in the background is begun again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST);
    }
}
