//! What an orchestrator is to the server.

use super::Work;
use crate::{
    extension::ClusterData,
    model::{Node, Task},
    server::Server,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use uuid::Uuid;

/// Does the work on the nodes, and reports on it through [`Server::report`](super::report).
pub(crate) trait Orchestrator: Send + Sync {
    /// Takes on a task that is committed already. When it returns the work may have begun or may only be queued.
    ///
    /// # Errors
    /// Why nothing was taken on, for people; the task fails with it.
    fn dispatch<'a>(&'a self, server: &'a Arc<Server>, dispatch: Dispatch) -> BoxFuture<'a, Result<(), String>>;

    /// Ends the work on a task that nobody waits for any more.
    fn abandon(&self, task: Uuid);
}

/// What an orchestrator is asked to do.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    /// The task; its uuid stands in all messages about it.
    pub(crate) task: Task,
    pub(crate) work: Work,
    /// The nodes to work on, in the order of their ids.
    pub(crate) nodes: Arc<[Node]>,
    /// What the nodes share, and a document for each of them.
    pub(crate) data: Arc<ClusterData>,
}
