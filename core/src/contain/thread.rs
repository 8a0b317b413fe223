//! Threads of their own for what extensions do outside of requests. Code that blocks its thread holds up nobody else there:
//! neither requests, nor other extensions, nor the end of the process.

use super::{Call, Fault, attempt, measure};
use crate::{extension::Error, principal};
use futures_util::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use std::{
    future::Future,
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tracing::Instrument;

/// What a call that keeps to its time limit needs beyond that to tell so.
const LEEWAY: Duration = Duration::from_millis(250);

/// How many threads may be blocked before no other takes their place.
const BLOCKED: usize = 64;

/// A thread that polls what it is given, from the first call on. It ends with this value, or where what it polls lets it.
/// Another takes its place when it takes no more calls: one that blocks it holds up the others for as long as one may take.
#[derive(Debug)]
pub(crate) struct OwnThread {
    name: String,
    jobs: Mutex<Option<Jobs>>,
    /// Each thread that has not ended holds one of these.
    alive: Arc<()>,
}

/// It holds one that the thread has not taken yet: those that wait for a thread that is blocked are dropped in time.
type Jobs = mpsc::Sender<BoxFuture<'static, ()>>;

impl OwnThread {
    pub(crate) fn new(name: String) -> Self {
        Self { name, jobs: Mutex::default(), alive: Arc::default() }
    }

    /// Lets another thread take the place of the one that takes these, unless too many are blocked by now.
    fn give_up(&self, jobs: &Jobs) {
        let mut kept = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&self.alive) <= BLOCKED && kept.as_ref().is_some_and(|kept| kept.same_channel(jobs)) {
            *kept = None;
        }
    }

    /// Where the thread takes what it is to poll, if it is there, or else can be started.
    fn jobs(&self) -> io::Result<Jobs> {
        let mut kept = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = kept.as_ref().filter(|jobs| !jobs.is_closed()) {
            return Ok(jobs.clone());
        }
        let (jobs, mut taken) = mpsc::channel(1);
        let (handle, alive) = (Handle::current(), Arc::clone(&self.alive));
        let run = move || {
            let _alive = alive;
            handle.block_on(async move {
                let mut polled = FuturesUnordered::new();
                loop {
                    tokio::select! {
                        Some(job) = taken.recv() => polled.push(job),
                        Some(()) = polled.next() => {}
                        else => return,
                    }
                }
            });
        };
        std::thread::Builder::new().name(self.name.clone()).spawn(run)?;
        Ok(kept.insert(jobs).clone())
    }

    /// Makes one call there. When nobody waits for it any more, or its time is up, it is dropped where it waits itself.
    pub(super) async fn call<T, F>(&self, call: Call, work: impl FnOnce() -> F + Send + 'static) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let (mut tell, told) = oneshot::channel();
        let job = async move {
            let called = principal::acting(principal::extension(call.extension), attempt(call, work));
            tokio::select! {
                biased;
                // What nobody waits for any more is not begun.
                () = tell.closed() => {}
                outcome = called => drop(tell.send(outcome)),
            }
        };
        let polled = Arc::new(Polled::default());
        let job = noting(Arc::clone(&polled), job.in_current_span());
        let jobs = self.jobs().map_err(Error::from)?;
        let called = async {
            // A thread that is gone by now tells nothing, like one that a call ends by a panic when it is dropped.
            drop(jobs.send(Box::pin(job)).await);
            told.await
        };
        match tokio::time::timeout(call.limit.saturating_add(LEEWAY), called).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Fault::Panicked("at its end".to_owned())),
            // It would have told so itself, were the thread not blocked: by this call, if it has had the thread for most of the
            // time, or by another.
            Err(_) => {
                self.give_up(&jobs);
                let since = *polled.lock().unwrap_or_else(PoisonError::into_inner);
                let fault = match since {
                    Some(since) if since.elapsed() >= call.limit / 2 => Fault::Blocked(call.limit),
                    _ => Fault::HeldUp("another call blocks its thread".to_owned()),
                };
                measure::faulted(call, &fault);
                Err(fault)
            }
        }
    }
}

/// Since when a call has the thread, while it does.
type Polled = Mutex<Option<Instant>>;

/// The same work, which notes since when it has the thread.
async fn noting(polled: Arc<Polled>, work: impl Future<Output = ()>) {
    let note = |since| *polled.lock().unwrap_or_else(PoisonError::into_inner) = since;
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        note(Some(Instant::now()));
        let outcome = work.as_mut().poll(cx);
        note(None);
        outcome
    })
    .await;
}
