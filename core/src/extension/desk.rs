//! What contexts need of the server beyond the database.

use super::{Heard, Report, Result};
use crate::store::WriteTx;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// The server, as contexts need it for what is more than a query.
pub(crate) trait Desk: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
    /// Applies a report about a task of an orchestrator of this extension.
    fn report<'a>(&'a self, extension: &'static str, task: Uuid, report: Report) -> BoxFuture<'a, Result<Heard>>;
    /// Adds lines to the log of a task of an orchestrator of this extension: each about a node, or about the whole.
    fn log<'a>(
        &'a self,
        extension: &'static str,
        task: Uuid,
        lines: Vec<(Option<i64>, String)>,
    ) -> BoxFuture<'a, Result<()>>;
    /// Notes changes of clusters in a transaction, as all changes are made, and commits it.
    fn commit(
        &self,
        transaction: WriteTx,
        now: DateTime<Utc>,
        noted: Vec<(i64, &'static str)>,
    ) -> BoxFuture<'_, Result<()>>;
}
