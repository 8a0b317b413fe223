//! An extension of the tests that holds the deletion of a cluster open, after `config_overlay` was told of it.

use rivetgun::prelude::*;
use std::time::Duration;
use tokio::sync::Notify;

/// The cluster whose deletion it holds open.
pub(crate) const HELD: &str = "held";
/// How long, where nobody lets it go.
const LIMIT: Duration = Duration::from_millis(300);

/// The deletion is as good as done, and not yet committed.
pub(crate) static REACHED: Notify = Notify::const_new();
/// Lets it go.
pub(crate) static GO_ON: Notify = Notify::const_new();

#[derive(Debug, Default)]
struct SlowDeletion;

#[extension(name = "slow_deletion", version = "1.0.0", description = "For the tests", after = ["config_overlay"])]
impl Extension for SlowDeletion {
    async fn on_cluster_delete(&self, _cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
        if cluster.name == HELD {
            REACHED.notify_one();
            drop(tokio::time::timeout(LIMIT, GO_ON.notified()).await);
        }
        Ok(())
    }
}
