//! What a stop still has to stop. Astute says nothing about work that it does not have, or not any more, so that nobody
//! would ever hear of that.

use crate::{
    AmqpOrchestrator,
    broker::{self, Broker, Link, Trouble},
    dispatch::{Outage, persist},
    messages::{self, Model, Nodes, State},
};
use lapin::{
    options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions},
    types::FieldTable,
};
use rivetgun::prelude::*;
use std::collections::BTreeSet;

/// The messages of a stop that Astute has to get. Nodes whose work is over, and those of messages that no Astute has taken
/// yet, are done with at once; these messages are taken back.
///
/// # Errors
/// What the database says.
pub(crate) async fn what_is_left(
    broker: &Broker,
    cx: &OrchestratorContext,
    dispatch: &Dispatch,
    stops: Vec<Model>,
) -> Result<Vec<Model>> {
    let stopped: BTreeSet<Uuid> = stops.iter().filter_map(|stop| stop.stops).collect();
    let mut withdrawn = withdraw(broker, cx, dispatch, &stopped).await?;
    // What was never on its way to the broker is not sent any more.
    let unsent = persist(|| messages::in_state(cx.db(), &stopped, State::Written)).await?;
    persist(|| messages::mark(cx, &unsent, State::Withdrawn)).await?;
    withdrawn.extend(unsent);
    // After the messages are written down: what ends from here on is seen by who hears of it.
    let at_work = persist(|| at_work(cx, dispatch.cluster.id)).await?;
    let (mut done, mut left) = (Report::new(), Vec::new());
    for stop in stops {
        let is_withdrawn = stop.stops.is_some_and(|uuid| withdrawn.contains(&uuid));
        let is_over = |id: &i64| is_withdrawn || !at_work.contains(id);
        let (over, open): (Vec<i64>, Vec<i64>) = stop.nodes.0.iter().partition(|id| is_over(id));
        done = over.into_iter().fold(done, |done, id| done.node(id, Said::Done));
        if !open.is_empty() {
            left.push(Model { nodes: Nodes(open), ..stop });
        }
    }
    if !done.nodes.is_empty() {
        persist(|| cx.report(dispatch.task, done.clone())).await?;
    }
    Ok(left)
}

/// The nodes of a cluster that are worked on.
async fn at_work(cx: &OrchestratorContext, cluster: i64) -> Result<BTreeSet<i64>> {
    let tx = cx.transaction().await?;
    let nodes = tx.model().nodes_of(cluster).await?;
    let is_at_work = |node: &&Node| matches!(node.status, NodeStatus::Provisioning | NodeStatus::Deploying);
    Ok(nodes.iter().filter(is_at_work).map(|node| node.id).collect())
}

/// Takes those of these messages back that nobody has taken from the queue yet; all that were ever taken back.
async fn withdraw(
    broker: &Broker,
    cx: &OrchestratorContext,
    dispatch: &Dispatch,
    wanted: &BTreeSet<Uuid>,
) -> Result<BTreeSet<Uuid>> {
    let mut outage = Outage::default();
    loop {
        let attempt = async {
            let link = broker.link(cx.settings::<AmqpOrchestrator>()).await?;
            broker::answered(withdraw_from(&link, cx, wanted)).await
        };
        match attempt.await {
            Ok(_) => break,
            Err(trouble) => outage.wait(cx, dispatch, &trouble).await,
        }
    }
    outage.end(cx, dispatch).await;
    persist(|| messages::in_state(cx.db(), wanted, State::Withdrawn)).await
}

/// Takes those of these messages back that nobody has taken from the queue yet; these.
pub(crate) async fn withdraw_from(
    link: &Link,
    cx: &OrchestratorContext,
    wanted: &BTreeSet<Uuid>,
) -> Result<BTreeSet<Uuid>, Trouble> {
    let queue = cx.settings::<AmqpOrchestrator>().requests.get();
    let channel = link.channel().await?;
    let there = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let waiting = channel.queue_declare(queue.clone(), there, FieldTable::default()).await?.message_count();
    let mut found = Vec::new();
    for _ in 0..waiting {
        let Some(message) = channel.basic_get(queue.clone(), BasicGetOptions::default()).await? else { break };
        let id = message.delivery.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
        // All of the queue is looked through: a message that was sent again is there twice.
        found.extend(id.filter(|id| wanted.contains(id)).map(|id| (id, message.delivery.acker)));
    }
    let mut ids = BTreeSet::new();
    for (id, acker) in found {
        acker.ack(BasicAckOptions::default()).await?;
        ids.insert(id);
    }
    // What is not acknowledged goes back to its place. That the channel is closed tells that the broker has done all of it.
    channel.close(200, "done".into()).await?;
    // Only then: had the broker kept a message, an Astute could take it that is believed to be gone. Whoever is killed right
    // here sends a stop to which nobody answers, which is the lesser evil: it can be seen, and given up.
    let marked = persist(|| messages::mark(cx, &ids, State::Withdrawn)).await;
    marked.map_err(|error| Trouble::Away(error.to_string()))?;
    Ok(ids)
}
