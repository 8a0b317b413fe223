//! The server, as the contexts of extensions need it.

use super::{log, report};
use crate::{
    change::{ChangeTx, clusters},
    error::{Outcome, Refusal},
    extension::{Desk, Error, Heard, Report, Result},
    model::LogStream,
    server::Server,
    store::{self, WriteTx},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use uuid::Uuid;

/// The server as contexts need it.
pub(crate) fn desk(server: &Arc<Server>) -> Arc<dyn Desk> {
    Arc::new(ServerDesk(Arc::clone(server)))
}

struct ServerDesk(Arc<Server>);

impl Desk for ServerDesk {
    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    fn report<'a>(&'a self, extension: &'static str, task: Uuid, report: Report) -> BoxFuture<'a, Result<Heard>> {
        Box::pin(async move {
            match self.task_of(extension, task).await.map_err(error)? {
                Some(_) => report::apply(&self.0, task, &report).await.map_err(error),
                None => Ok(Heard::Unknown),
            }
        })
    }

    fn log<'a>(
        &'a self,
        extension: &'static str,
        task: Uuid,
        lines: Vec<(Option<i64>, String)>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let unknown = || Error::not_found(format!("task {task} does not exist"));
            let found = self.task_of(extension, task).await.map_err(error)?.ok_or_else(unknown)?;
            log::write_lines(&self.0, found, LogStream::Orchestrator, lines).await.map_err(error)
        })
    }

    fn commit(
        &self,
        transaction: WriteTx,
        now: DateTime<Utc>,
        noted: Vec<(i64, &'static str)>,
    ) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut tx = ChangeTx::over(&self.0, transaction, now);
            for (cluster, what) in noted {
                clusters::find_locked(&tx, cluster).await.map_err(error)?;
                clusters::note_changes(&mut tx, cluster, &[what]).await.map_err(error)?;
            }
            tx.commit().await.map_err(error)
        })
    }
}

impl ServerDesk {
    /// The task with this uuid, if one of the extension's orchestrators works on it.
    async fn task_of(&self, extension: &str, uuid: Uuid) -> Outcome<Option<i64>> {
        let Some(task) = store::tasks::find_by_uuid(self.0.store.reader(), uuid).await? else { return Ok(None) };
        let loaded = self.0.registry.find(extension);
        let is_its =
            loaded.is_some_and(|loaded| loaded.orchestrators.iter().any(|(name, _)| *name == task.orchestrator));
        Ok(is_its.then_some(task.id))
    }
}

fn error(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Database(error) => error.into(),
        Refusal::Vetoed(_) => Error::conflict(refusal.to_string()),
        Refusal::NotFound(detail) => Error::not_found(detail),
        other => Error::failed(other.to_string()),
    }
}
