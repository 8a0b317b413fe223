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
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How long an Astute that has taken a message may take to say so: it does that before anything else.
const LIFE: Duration = Duration::from_secs(10);

/// How long it is waited before the queue is looked through again.
const WHILE: Duration = Duration::from_secs(1);

/// How often it is looked how far a message is.
const LOOK: Duration = Duration::from_millis(20);

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
    // What was never on its way to the broker is not sent any more.
    let unsent = persist(|| messages::in_state(cx.db(), &stopped, &[State::Written])).await?;
    persist(|| messages::mark(cx, &unsent, State::Withdrawn)).await?;
    // What is neither in the queue nor replied to is on its way to an Astute, whom a stop could overtake.
    let unsure = [State::Sending, State::Sent, State::Withdrawing];
    let begun = Instant::now();
    loop {
        withdraw(broker, cx, dispatch, &stopped).await?;
        if until_none_is(&unsure, cx, &stopped).await? || begun.elapsed() >= LIFE {
            break;
        }
    }
    // What was on its way to the broker, or back from it, when the server was killed, and nobody has it.
    let gone = persist(|| messages::in_state(cx.db(), &stopped, &[State::Sending, State::Withdrawing])).await?;
    persist(|| messages::mark(cx, &gone, State::Withdrawn)).await?;
    let withdrawn = persist(|| messages::in_state(cx.db(), &stopped, &[State::Withdrawn])).await?;
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

/// Waits for a while until none of these messages is in one of these states; whether it is so.
async fn until_none_is(states: &[State], cx: &OrchestratorContext, messages: &BTreeSet<Uuid>) -> Result<bool> {
    let waiting = async {
        while !persist(|| messages::in_state(cx.db(), messages, states)).await?.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(true)
    };
    tokio::time::timeout(WHILE, waiting).await.unwrap_or(Ok(false))
}

/// The nodes of a cluster that are worked on.
async fn at_work(cx: &OrchestratorContext, cluster: i64) -> Result<BTreeSet<i64>> {
    let nodes = cx.model().nodes_of(cluster).await?;
    let is_at_work = |node: &&Node| matches!(node.status, NodeStatus::Provisioning | NodeStatus::Deploying);
    Ok(nodes.iter().filter(is_at_work).map(|node| node.id).collect())
}

/// Takes those of these messages back that nobody has taken from the queue yet.
async fn withdraw(
    broker: &Broker,
    cx: &OrchestratorContext,
    dispatch: &Dispatch,
    wanted: &BTreeSet<Uuid>,
) -> Result<()> {
    let mut outage = Outage::default();
    loop {
        let attempt = async {
            let link = broker.link(cx.settings::<AmqpOrchestrator>()).await?;
            broker::answered(async {
                broker.has_sent(wanted).await;
                let _looking = broker.looking.lock().await;
                withdraw_from(&link, cx, wanted).await
            })
            .await
        };
        match attempt.await {
            Ok(_) => break,
            Err(trouble) => outage.wait(cx, dispatch, &trouble).await,
        }
    }
    outage.end(cx, dispatch).await;
    Ok(())
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
    let mark = async |ids: &BTreeSet<Uuid>, state| {
        let marked = persist(|| messages::mark(cx, ids, state)).await;
        marked.map_err(|error| Trouble::Away(error.to_string()))
    };
    // Whoever is killed between the two looks again, and listens for who may have it in the meantime.
    let ids = found.iter().map(|(id, _)| *id).collect();
    mark(&ids, State::Withdrawing).await?;
    for (_, acker) in found {
        acker.ack(BasicAckOptions::default()).await?;
    }
    // What is not acknowledged goes back to its place. That the channel is closed tells that the broker has done all of it.
    channel.close(200, "done".into()).await?;
    mark(&ids, State::Withdrawn).await?;
    Ok(ids)
}
