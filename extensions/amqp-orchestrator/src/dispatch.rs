//! Work goes out: each message of a task is written down, published, and confirmed by the broker.

use crate::{
    AmqpOrchestrator,
    abandon::abandon,
    broker::{self, Address, Broker, Trouble},
    envelope,
    messages::{self, Model, State},
    patience::Patience,
    stop,
};
use rivetgun::prelude::*;

/// How often a write to the database is tried.
const ATTEMPTS: usize = 10;

/// Hands a task to the broker. While that is away, it waits. What fails leaves nothing behind: neither messages that would be
/// worked on, nor a stop that would wait for its end.
///
/// # Errors
/// Why the broker will not have it, or what the database says.
pub(crate) async fn dispatch(broker: &Broker, cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Receipt> {
    let handed = hand_over(broker, cx, dispatch).await;
    if handed.is_err()
        && let Err(error) = abandon(broker, cx, dispatch.task).await
    {
        tracing::warn!(task = %dispatch.task, %error, "work on a task that failed may go on");
    }
    handed
}

async fn hand_over(broker: &Broker, cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Receipt> {
    let mut unsent = persist(|| messages::of_dispatch(cx, dispatch)).await?;
    // Somebody has to hear the replies.
    broker.needed.notify_one();
    if dispatch.work == Work::Stop {
        unsent = stop::what_is_left(broker, cx, dispatch, unsent).await?;
    }
    let is_unsent = |message: &Model| matches!(message.state, State::Written | State::Sending);
    for message in unsent.into_iter().filter(is_unsent) {
        send(broker, cx, dispatch, &message).await?;
    }
    Ok(Receipt::new(dispatch.task.to_string()))
}

/// Publishes a message until the broker has it for good, or a stop took it back before it was on its way.
async fn send(broker: &Broker, cx: &OrchestratorContext, dispatch: &Dispatch, message: &Model) -> Result<()> {
    let settings = cx.settings::<AmqpOrchestrator>();
    let (data, wanted, compression) = (dispatch.clone(), message.clone(), settings.compression);
    let body = tokio::task::spawn_blocking(move || envelope::body(&data, &wanted, compression)).await??;
    let requests = || Address { exchange: settings.requests.get(), routing_key: settings.requests.get() };
    let to = match dispatch.work {
        Work::Stop => Address { exchange: settings.stops.get(), routing_key: "".into() },
        _ => requests(),
    };
    let this = [message.uuid].into();
    let mut outage = Outage::default();
    loop {
        let properties = broker::properties(message.uuid, compression);
        let published = async {
            broker.link(settings).await?;
            // A stop has to tell what may be with the broker from what cannot be.
            let _sending = broker.sends(message.uuid);
            let marked = persist(|| messages::mark(cx, &this, State::Sending)).await;
            let is_wanted = marked.map_err(|error| Trouble::Away(error.to_string()))? == 1;
            if is_wanted {
                broker.publish(settings, &to, &body, properties).await?;
            }
            Ok(is_wanted)
        };
        match published.await {
            Ok(true) => break,
            Ok(false) => return Ok(()),
            Err(Trouble::Unroutable) if dispatch.work == Work::Stop => {
                let nobody = format!("no Astute listens at the exchange `{}`; start it, and stop again", to.exchange);
                return Err(Error::unavailable(nobody));
            }
            Err(trouble) => outage.wait(cx, dispatch, &trouble).await,
        }
    }
    outage.end(cx, dispatch).await;
    persist(|| messages::mark(cx, &this, State::Sent)).await?;
    let (method, _) = message.method.names();
    let (place, bytes) = (message.place + 1, body.len());
    log(cx, dispatch, format!("sent {method} {place}/{}: {bytes} bytes, {}", message.total, message.uuid)).await;
    Ok(())
}

/// The time in which the broker is away, as the log of a task tells it.
#[derive(Debug, Default)]
pub(crate) struct Outage(Option<Patience>);

impl Outage {
    /// Waits for the next attempt.
    pub(crate) async fn wait(&mut self, cx: &OrchestratorContext, dispatch: &Dispatch, trouble: &Trouble) {
        if self.0.is_none() {
            // Waiting does not help there; a person has to.
            let refused = if trouble.is_refused() { "; does `url` say the right user and password?" } else { "" };
            log(cx, dispatch, format!("the broker is away ({trouble}); the task waits for it{refused}")).await;
        }
        self.0.get_or_insert_with(Patience::new).wait().await;
    }

    /// An attempt went well.
    pub(crate) async fn end(self, cx: &OrchestratorContext, dispatch: &Dispatch) {
        if self.0.is_some() {
            log(cx, dispatch, "the broker is back".to_owned()).await;
        }
    }
}

/// A line that cannot be written does not keep the work.
async fn log(cx: &OrchestratorContext, dispatch: &Dispatch, line: String) {
    // What others say stands in it, and no database takes that letter.
    let line = line.replace('\0', "\u{fffd}");
    if let Err(error) = cx.log(dispatch.task, None, line).await {
        tracing::warn!(task = %dispatch.task, %error, "a line of a task's log is lost");
    }
}

/// Tries again, while the database is busy or away.
pub(crate) async fn persist<T, F: Future<Output = Result<T>>>(write: impl Fn() -> F) -> Result<T> {
    let mut patience = Patience::new();
    for _ in 1..ATTEMPTS {
        match write().await {
            Ok(written) => return Ok(written),
            Err(error) => tracing::warn!(%error, "the database did not take what an orchestrator has to keep"),
        }
        patience.wait().await;
    }
    write().await
}
