//! Whether the agents of nodes are heard of: a node whose agent is silent is offline, and people are told.

use crate::{
    change::{Tolerance, presence},
    error::{Outcome, chain},
    server::Server,
    supervise,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// The section `[agents]` of the settings.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AgentSettings {
    /// After how many seconds without a report a node is offline.
    silent_after_s: NonZeroU32,
    /// Every how many seconds it is looked.
    look_every_s: NonZeroU32,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self { silent_after_s: NonZeroU32::MIN.saturating_add(179), look_every_s: NonZeroU32::MIN.saturating_add(29) }
    }
}

/// Looks for nodes that fall silent, as long as the server runs.
pub(crate) fn watch(server: &Arc<Server>) {
    supervise::spawn(server, "agents", keep_looking);
}

async fn keep_looking(server: Arc<Server>) -> Result<(), String> {
    let began = server.clock.now();
    let every = Duration::from_secs(server.settings.agents.look_every_s.get().into());
    let mut turn = tokio::time::interval(every);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        look(&server, began).await.map_err(|refusal| chain(&refusal))?;
    }
}

/// Looks once; how many nodes have fallen silent. Who began to listen at `began` cannot tell before the time is over in
/// which he would have heard them: after a downtime of the server all nodes are as silent.
async fn look(server: &Arc<Server>, began: DateTime<Utc>) -> Outcome<usize> {
    let since = server.clock.now() - TimeDelta::seconds(server.settings.agents.silent_after_s.get().into());
    if began > since {
        return Ok(0);
    }
    let mut tx = server.change(Tolerance::Unstoppable).await?;
    let silent = presence::fall_silent(&mut tx, since).await?;
    tx.commit().await?;
    if silent > 0 {
        tracing::info!(silent, "nodes have gone away");
    }
    Ok(silent)
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
