//! Sends a message once.

use crate::{message::Message, settings::WebhookSettings};
use futures_util::stream;
use rivetgun::prelude::*;
use rivetgun_outbound::{
    Client, HttpUrl, Secrets, builder,
    reqwest::{
        self, Body,
        header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue},
    },
};
use std::{convert::Infallible, sync::Arc, time::Duration};

/// Why a message was not taken on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It may be the next time; the receiver may have said when.
    Passing { reason: String, wait: Option<Duration> },
    /// It never will.
    Final(String),
}

/// A message with what is needed to send it.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) to: HttpUrl,
    pub(crate) id: String,
    pub(crate) message: Arc<Message>,
}

/// Makes the client. It reads the certificates of the system, which takes a while.
pub(crate) fn build(settings: &WebhookSettings) -> reqwest::Result<Client> {
    let client = builder(concat!("rivetgun-webhook/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout())
        .timeout(settings.timeout())
        // Tasks are few and far between, and a connection that was closed in the meantime would look like an outage.
        .pool_max_idle_per_host(0);
    Client::new(client, settings.allow_private_addresses)
}

/// Sends a message once, signed at this time.
pub(crate) async fn send(
    client: &Client,
    envelope: &Envelope,
    timestamp: i64,
    secrets: Secrets,
) -> Result<StatusCode, Failure> {
    let Envelope { to, id, message } = envelope;
    let headers = sign(id.clone(), Arc::clone(message), timestamp, secrets).await;
    let headers = headers.map_err(|_| Failure::Final("the message cannot be signed".to_owned()))?;
    let pieces = message.pieces().map(Ok::<_, Infallible>);
    client.post(to.url(), headers, Body::wrap_stream(stream::iter(pieces))).await.map_err(Failure::from)
}

/// The headers of a message. It takes as long as the data are large.
async fn sign(id: String, message: Arc<Message>, timestamp: i64, secrets: Secrets) -> Result<HeaderMap> {
    let headers = tokio::task::spawn_blocking(move || {
        let length: usize = message.pieces().map(|piece| piece.len()).sum();
        let mut headers = secrets.sign(&id, timestamp, message.pieces())?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        Ok(headers)
    });
    headers.await?
}

impl From<rivetgun_outbound::Failure> for Failure {
    fn from(failure: rivetgun_outbound::Failure) -> Self {
        match &failure {
            failure if failure.may_pass() => Self::Passing { reason: failure.to_string(), wait: failure.wait() },
            rivetgun_outbound::Failure::NotPublic(_) => {
                Self::Final(format!("{failure} below [extensions.webhook_orchestrator]"))
            }
            _ => Self::Final(failure.to_string()),
        }
    }
}
