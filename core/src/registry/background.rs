//! The background work of an extension, as it is listed and told to end.

use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa::ToSchema;

/// All background work of an extension.
#[derive(Debug, Default)]
pub(crate) struct Background {
    tasks: Mutex<Vec<Arc<BackgroundTask>>>,
    /// Tells the work to end in order.
    pub(crate) stopping: CancellationToken,
    /// Ends it wherever it waits.
    pub(crate) dropped: CancellationToken,
    pub(crate) tracker: TaskTracker,
}

/// One piece of background work.
#[derive(Debug)]
pub(crate) struct BackgroundTask {
    pub(crate) name: &'static str,
    state: Mutex<TaskState>,
}

/// A piece of background work, as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShownTask {
    /// Its name.
    name: &'static str,
    #[serde(flatten)]
    state: TaskState,
}

/// How a piece of background work is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TaskState {
    /// What it does just now.
    state: Doing,
    /// How often it was begun again after a failure.
    restarts: u64,
    /// How it failed last, if it ever did.
    last_error: Option<String>,
}

/// What background work does just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Doing {
    /// It works.
    Running,
    /// It failed, and is about to be begun again.
    Restarting,
    /// It came to its end.
    Finished,
}

impl Background {
    /// Takes up a new piece of work.
    pub(crate) fn add(&self, name: &'static str) -> Arc<BackgroundTask> {
        let state = TaskState { state: Doing::Running, restarts: 0, last_error: None };
        let task = Arc::new(BackgroundTask { name, state: Mutex::new(state) });
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&task));
        task
    }

    /// All of it, in the order in which it was begun.
    pub(crate) fn shown(&self) -> Vec<ShownTask> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().map(|task| task.shown()).collect()
    }
}

impl BackgroundTask {
    pub(crate) fn failed(&self, error: &str) {
        self.change(|state| {
            state.state = Doing::Restarting;
            state.last_error = Some(error.to_owned());
        });
    }

    pub(crate) fn begun_again(&self) {
        self.change(|state| {
            state.state = Doing::Running;
            state.restarts += 1;
        });
    }

    pub(crate) fn finished(&self) {
        self.change(|state| state.state = Doing::Finished);
    }

    fn change(&self, change: impl FnOnce(&mut TaskState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn shown(&self) -> ShownTask {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ShownTask { name: self.name, state }
    }
}
