//! What an extension is given to begin background work with, and what that work is given.

use super::{ExtensionContext, Result};
use futures_util::future::BoxFuture;
use std::{fmt, future::Future, ops::Deref, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The context of [`start`](super::Extension::start): that of a URL handler, and a way to begin background work.
pub struct StartContext {
    cx: ExtensionContext,
    spawn: Arc<dyn Spawn>,
}

/// The context of background work: that of a URL handler, at the present moment, and how long it may go on.
#[derive(Debug, Clone)]
pub struct TaskContext {
    pub(crate) cx: ExtensionContext,
    pub(crate) stopping: CancellationToken,
}

/// Background work: it can be begun again and again.
pub(crate) type BackgroundWork = Box<dyn Fn(TaskContext) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Who looks after the background work of an extension.
pub(crate) trait Spawn: Send + Sync {
    fn spawn(&self, name: &'static str, work: BackgroundWork);
}

impl StartContext {
    pub(crate) fn new(cx: ExtensionContext, spawn: Arc<dyn Spawn>) -> Self {
        Self { cx, spawn }
    }

    /// Begins background work, which `GET /extensions` lists under this name.
    ///
    /// Work that ends with an error or a panic is begun again, at first after half a second, and after at most a minute;
    /// work that ends with `Ok(())` is finished, and is not begun again. When the server stops, the work is told
    /// ([`TaskContext::stopping`]), and dropped two seconds later.
    ///
    /// ```
    /// # use rivetgun::prelude::*;
    /// # use std::time::Duration;
    /// # fn start(cx: &StartContext) {
    /// cx.spawn("sweeper", |cx| async move {
    ///     while cx.sleep(Duration::from_secs(60)).await {
    ///         let nodes = cx.model().nodes().await?;
    ///         // …
    ///     }
    ///     Ok(())
    /// });
    /// # }
    /// ```
    pub fn spawn<F>(&self, name: &'static str, work: impl Fn(TaskContext) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.spawn.spawn(name, Box::new(move |cx| Box::pin(work(cx))));
    }
}

impl TaskContext {
    /// Waits until the work is told to end.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Waits for so long; whether the time passed. It is `false`, at once, when the work is told to end.
    #[must_use = "`false` tells that the work is to end"]
    pub async fn sleep(&self, duration: Duration) -> bool {
        self.stopping.run_until_cancelled(tokio::time::sleep(duration)).await.is_some()
    }
}

impl Deref for StartContext {
    type Target = ExtensionContext;

    fn deref(&self) -> &ExtensionContext {
        &self.cx
    }
}

impl Deref for TaskContext {
    type Target = ExtensionContext;

    fn deref(&self) -> &ExtensionContext {
        &self.cx
    }
}

impl fmt::Debug for StartContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StartContext").field("cx", &self.cx).finish_non_exhaustive()
    }
}
