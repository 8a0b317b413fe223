//! The background work of an extension: begun again when it fails, and told to end before the extension is closed.

use crate::{
    contain::{self, OwnThread},
    extension::{BackgroundWork, Spawn, TaskContext},
    registry::{BackgroundTask, Loaded},
    server::Server,
    supervise::{self, Turn},
};
use std::sync::Arc;

/// What looks after the background work of an extension.
pub(super) fn of(server: &Arc<Server>, loaded: &Arc<Loaded>) -> Arc<dyn Spawn> {
    Arc::new(Overseer { server: Arc::clone(server), loaded: Arc::clone(loaded) })
}

#[derive(Clone)]
struct Overseer {
    server: Arc<Server>,
    loaded: Arc<Loaded>,
}

impl Spawn for Overseer {
    fn spawn(&self, name: &'static str, work: BackgroundWork) {
        let background = &self.loaded.background;
        // The extension has failed in the meantime, or the server stops.
        if background.stopping.is_cancelled() {
            return;
        }
        let (task, overseer, dropped) = (background.add(name), self.clone(), background.dropped.clone());
        background.tracker.spawn(async move {
            dropped.run_until_cancelled(overseer.look_after(&task, &work.into())).await;
        });
    }
}

impl Overseer {
    async fn look_after(&self, task: &BackgroundTask, work: &Arc<BackgroundWork>) {
        let Self { server, loaded } = self;
        let (thread, leash) = (OwnThread::new(format!("{} {}", loaded.metadata.name, task.name)), server.leash());
        let stopping = &loaded.background.stopping;
        let run = || async {
            let cx = TaskContext { cx: server.background_context(loaded, &leash), stopping: stopping.clone() };
            let place = || format!("its background work `{}`", task.name);
            contain::work(&thread, loaded, task.name, work, cx).await.map_err(|fault| fault.public(&place()))
        };
        let tell = |turn: Turn<'_>| match turn {
            Turn::Failed { reason, wait } => {
                let again_in_ms = wait.as_millis();
                tracing::warn!(extension = loaded.metadata.name, work = task.name, again_in_ms, "it is begun again");
                task.failed(reason);
                loaded.condition.degrade(server.clock.now(), format!("it {reason}"));
            }
            Turn::Again => task.begun_again(),
        };
        supervise::keep_going(run, stopping, tell).await;
        task.finished();
    }
}
