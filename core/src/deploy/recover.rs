//! What became of the tasks of this server when it stopped without ending them.

use super::{
    report::{self, Report},
    run,
};
use crate::{error::Outcome, model::TaskStatus, server::Server, store};
use std::sync::Arc;

/// Settles the tasks that this server left behind: what had not begun begins now, for nothing was sent; what ran has
/// lost its processes with the server, and fails with a reason. Tasks of other servers are theirs.
pub(crate) async fn recover(server: &Arc<Server>) -> Outcome<()> {
    for task in store::tasks::unfinished_of(server.store.reader(), server.id).await? {
        tracing::info!(task = task.id, status = %task.status, "settling a task that an earlier run of this server left");
        if task.status == TaskStatus::Pending {
            run::spawn(server, task);
        } else {
            let reason = "the server was stopped while it worked on this; ask for it again";
            report::deliver(server, task.uuid, Report::failed(reason)).await;
        }
    }
    Ok(())
}
