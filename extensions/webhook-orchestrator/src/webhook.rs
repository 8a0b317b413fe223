//! The orchestrator: offers a task until it is taken on.

use crate::{
    WebhookOrchestrator,
    client::{self, Envelope, Failure},
    message::{Message, id_of},
    settings::WebhookSettings,
};
use backon::{BackoffBuilder, ExponentialBuilder};
use rivetgun::prelude::*;
use rivetgun_outbound::Client;
use std::{sync::Arc, time::Duration};
use tokio::{sync::OnceCell, time::Instant};

/// The longest that it is waited between two attempts, unless the receiver asks for more.
const LONGEST: Duration = Duration::from_secs(300);

/// The orchestrator `webhook`.
#[derive(Debug, Default)]
pub(crate) struct Webhook {
    client: OnceCell<Client>,
}

#[async_trait]
impl Orchestrator for Webhook {
    async fn dispatch(&self, cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Receipt> {
        let settings = cx.settings::<WebhookOrchestrator>();
        let envelope = Envelope {
            to: settings.receiver()?.clone(),
            id: id_of(dispatch.task),
            message: Arc::new(Message::of(dispatch, &settings.report_url(dispatch.task))?),
        };
        // Whether there are any: which they are is asked for each attempt, since they may be others by then.
        settings.secrets().await?;
        let client = self.client.get_or_try_init(|| make(settings.clone())).await?;
        let receipt = Receipt::new(envelope.id.clone());
        Offer { cx, task: dispatch.task, settings, client, envelope }.until_taken_on().await?;
        Ok(receipt)
    }
}

async fn make(settings: WebhookSettings) -> Result<Client> {
    Ok(tokio::task::spawn_blocking(move || client::build(&settings)).await??)
}

/// A task on its way to the receiver.
struct Offer<'a> {
    cx: &'a OrchestratorContext,
    task: Uuid,
    settings: &'a WebhookSettings,
    client: &'a Client,
    envelope: Envelope,
}

impl Offer<'_> {
    /// Offers the task until it is taken on or refused, or for as long as it may take. Outages and their ends stand in the
    /// log of the task.
    async fn until_taken_on(&self) -> Result<()> {
        let (to, limit) = (&self.envelope.to, self.settings.retry_for());
        let begin = Instant::now();
        let mut delays = delays();
        let mut told = String::new();
        let mut attempt = 0_u64;
        loop {
            attempt += 1;
            let (reason, wish) = match self.attempt().await {
                Ok(status) => {
                    let again = if attempt == 1 { String::new() } else { format!(" at attempt {attempt}") };
                    self.log(format!("{to} took the task on{again}: {status}")).await;
                    return Ok(());
                }
                Err(Failure::Final(reason)) => {
                    return Err(Error::conflict(format!("{to} does not take the task on: {reason}")));
                }
                Err(Failure::Passing { reason, wait }) => (reason, wait),
            };
            let wait = delays.next().unwrap_or(LONGEST).max(wish.unwrap_or_default());
            if begin.elapsed() + wait > limit {
                let detail = format!("{to} did not take the task on in {attempt} attempts: {reason}");
                return Err(Error::unavailable(detail));
            }
            if reason != told {
                let limit = limit.as_secs();
                self.log(format!("{to} does not take the task on: {reason}; it is offered again for {limit} s")).await;
                told = reason;
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self) -> Result<StatusCode, Failure> {
        let secrets = self.settings.secrets().await;
        let secrets = secrets.map_err(|error| Failure::Passing { reason: error.to_string(), wait: None })?;
        client::send(self.client, &self.envelope, self.cx.now().timestamp(), secrets).await
    }

    /// Writes to the log of the task. Without that line all goes on.
    async fn log(&self, line: String) {
        let task = self.task;
        tracing::info!(%task, line);
        if let Err(error) = self.cx.log(task, None, line).await {
            tracing::warn!(%task, %error, "a line of a task's log is lost");
        }
    }
}

/// How long it is waited after each attempt, without end.
fn delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(LONGEST)
        .without_max_times()
        .with_jitter()
        .build()
}
