//! Work that nobody waits for any more: what no Astute has taken yet is taken back, and no reply to it is waited for.

use crate::{
    AmqpOrchestrator,
    broker::{Broker, Trouble},
    listen::{each, tell},
    messages::{self, Method, Model, State},
    stop::withdraw_from,
};
use rivetgun::prelude::*;
use std::{collections::BTreeSet, time::Duration};

/// How long the broker may take: somebody waits for it.
const LIMIT: Duration = Duration::from_secs(8);

/// Takes the messages of a task back, as far as the broker is there and has them still, and forgets them.
///
/// # Errors
/// Why they are not taken back, or what the database says.
pub(crate) async fn abandon(broker: &Broker, cx: &OrchestratorContext, task: Uuid) -> Result<()> {
    let messages = messages::of_task(cx.db(), task).await?;
    let late = |_| Err(Trouble::Away(format!("it does not answer in {} s", LIMIT.as_secs())));
    let taken_back = tokio::time::timeout(LIMIT, take_back(broker, cx, &messages)).await.unwrap_or_else(late);
    if let Ok(uuids) = &taken_back {
        // Whoever stops them has nothing to wait for.
        for stop in messages::that_stop(cx.db(), uuids).await? {
            tell(cx, &stop, each(&stop.nodes.0, &Said::Done)).await?;
        }
    }
    messages::forget(cx, task).await?;
    let kept =
        |trouble| Error::unavailable(format!("messages that no Astute has taken yet stay in the queue: {trouble}"));
    taken_back.map(drop).map_err(kept)
}

/// Those that were taken back. Stops are not in a queue that all share.
async fn take_back(broker: &Broker, cx: &OrchestratorContext, messages: &[Model]) -> Result<BTreeSet<Uuid>, Trouble> {
    let may_wait = |message: &&Model| message.method != Method::Stop && message.state != State::Withdrawn;
    let wanted: BTreeSet<Uuid> = messages.iter().filter(may_wait).map(|message| message.uuid).collect();
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let link = broker.link(cx.settings::<AmqpOrchestrator>()).await?;
    let _looking = broker.looking.lock().await;
    withdraw_from(&link, cx, &wanted).await
}
