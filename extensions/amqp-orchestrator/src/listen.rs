//! Replies come in: each is read, applied, and acknowledged once what it brought is committed.

use crate::{
    AmqpOrchestrator,
    broker::{self, Broker, Trouble},
    messages::{self, Method, Model, State},
    patience::Patience,
    reply::Reply,
    told::{Told, told},
};
use futures_util::StreamExt;
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use rivetgun::prelude::*;
use std::collections::BTreeSet;

/// How many replies may be on their way to us at once.
const PREFETCH: u16 = 32;

/// How often a reply is tried that the server does not take although its database lets us write.
const ATTEMPTS: usize = 30;

/// After how many failures in a row, with the broker there, people hear of it.
const FAILURES: u32 = 3;

/// What became of a reply.
enum Fate {
    Heard,
    /// It cannot be read, or not be applied, for this reason.
    Poisonous(String),
}

/// Hears replies for ever, from when the first message is sent, or there is one of earlier.
pub(crate) async fn listen(broker: &Broker, cx: &OrchestratorContext) -> Result<()> {
    if !messages::are_there(cx.db()).await? {
        broker.needed.notified().await;
    }
    let (mut patience, mut failures) = (Patience::new(), 0);
    loop {
        if let Err(trouble) = consume(broker, cx, &mut patience).await {
            // That the broker is away is told by who finds it so.
            failures = if broker.is_away() { 0 } else { failures + 1 };
            match failures {
                FAILURES => tracing::warn!(%trouble, "replies are not heard, although the broker is there"),
                _ => tracing::debug!(%trouble, "replies are not heard for now"),
            }
        }
        patience.wait().await;
    }
}

/// Hears replies until the connection ends.
async fn consume(broker: &Broker, cx: &OrchestratorContext, patience: &mut Patience) -> Result<(), Trouble> {
    let settings = cx.settings::<AmqpOrchestrator>();
    let link = broker.link(settings).await?;
    let subscribed = async {
        let channel = link.channel().await?;
        // Whoever deleted the queue ended the last attempt by that.
        broker::declare(&channel, settings).await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (queue, options) = (settings.replies.get(), BasicConsumeOptions::default());
        let replies = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
        Ok((channel, replies))
    };
    let (_channel, mut replies) = broker::answered(subscribed).await?;
    while let Some(delivery) = replies.next().await {
        let delivery = delivery?;
        *patience = Patience::new();
        if let Fate::Poisonous(reason) = hear(cx, &delivery).await {
            let queue = settings.dead_letters.get();
            tracing::warn!(reason, %queue, "a reply is set aside; look at it there");
            // Where that does not go well, the broker gives it to us again.
            broker.set_aside(settings, &delivery, &reason).await?;
        }
        broker::answered(async { Ok(delivery.ack(BasicAckOptions::default()).await?) }).await?;
    }
    Ok(())
}

/// Applies a reply. While the database is away, it waits.
async fn hear(cx: &OrchestratorContext, delivery: &Delivery) -> Fate {
    let body = delivery.data.clone();
    let reply = match tokio::task::spawn_blocking(move || Reply::read(&body)).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(reason)) => return Fate::Poisonous(reason),
        Err(error) => return Fate::Poisonous(format!("reading it failed: {error}")),
    };
    let (mut patience, mut attempts) = (Patience::new(), 0);
    loop {
        let error = match apply(cx, &reply).await {
            Ok(()) => return Fate::Heard,
            Err(error) => error,
        };
        tracing::warn!(task = %reply.args.task_uuid, %error, "a reply is not applied yet");
        // Where the database lets us write, the reply is what is wrong.
        if messages::touch(cx, reply.args.task_uuid).await.is_ok() {
            attempts += 1;
        }
        if attempts == ATTEMPTS {
            return Fate::Poisonous(format!("it cannot be applied: {error}"));
        }
        patience.wait().await;
    }
}

async fn apply(cx: &OrchestratorContext, reply: &Reply) -> Result<()> {
    let uuid = reply.args.task_uuid;
    let Some(message) = messages::find(cx.db(), uuid).await? else {
        tracing::debug!(task = %uuid, method = reply.method, "a reply to a message that is not known, or not any more");
        return Ok(());
    };
    if message.state.may_become(State::Taken) {
        messages::mark(cx, &[uuid].into(), State::Taken).await?;
    }
    let stops = match message.method {
        Method::Provision | Method::Deploy => messages::that_stop(cx.db(), &[uuid].into()).await?,
        _ => Vec::new(),
    };
    let Told { report, stopped, is_last, unless_stopped } = told(&message, &reply.args, !stops.is_empty());
    tell(cx, &message, report).await?;
    // After the work itself: what ended in time was not stopped.
    let mut taken = BTreeSet::new();
    let mut ended = BTreeSet::from([uuid]);
    for stop in stops {
        ended.insert(stop.uuid);
        let its: Vec<i64> = stopped.iter().copied().filter(|&node| stop.nodes.have(node)).collect();
        if tell(cx, &stop, each(&its, &Said::Done)).await? == Heard::Applied {
            taken.extend(its);
        }
    }
    if let Some(said) = unless_stopped {
        // A stop that is over takes nothing any more: it may have failed, or been given up.
        let left: Vec<i64> = message.nodes.0.iter().copied().filter(|node| !taken.contains(node)).collect();
        tell(cx, &message, each(&left, &said)).await?;
    }
    if is_last && message.state.may_become(State::Ended) {
        messages::mark(cx, &ended, State::Ended).await?;
    }
    Ok(())
}

/// A report that says the same of all these nodes.
pub(crate) fn each(nodes: &[i64], said: &Said) -> Report {
    nodes.iter().fold(Report::new(), |report, &node| report.node(node, said.clone()))
}

/// Reports about the task of a message.
pub(crate) async fn tell(cx: &OrchestratorContext, message: &Model, report: Report) -> Result<Heard> {
    if report == Report::default() {
        return Ok(Heard::Outdated);
    }
    let heard = cx.report(message.task, report).await?;
    if heard == Heard::Unknown {
        messages::forget(cx, message.task).await?;
    }
    Ok(heard)
}
