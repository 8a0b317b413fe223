//! The HTTP client: sends a message once, and says what its answer means.

use crate::{
    address::{NotPublic, PublicOnly, check_literal},
    message::Message,
    secret::{ID, SIGNATURE, Secrets, TIMESTAMP},
    settings::WebhookSettings,
};
use futures_util::stream;
use rivetgun::client::{
    self, HttpUrl,
    reqwest::{
        self, Body, Client, Response, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
};
use std::{convert::Infallible, error::Error as StdError, sync::Arc, time::Duration};

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
    pub(crate) allow_private_addresses: bool,
}

/// Makes the client. It reads the certificates of the system, which takes a while.
pub(crate) fn build(settings: &WebhookSettings) -> reqwest::Result<Client> {
    let client = client::builder(concat!("rivetgun-webhook/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout())
        .timeout(settings.timeout())
        // Tasks are few and far between, and a connection that was closed in the meantime would look like an outage.
        .pool_max_idle_per_host(0);
    let client = if settings.allow_private_addresses { client } else { client.dns_resolver(PublicOnly) };
    client.build()
}

/// Sends a message once, signed at this time.
pub(crate) async fn send(
    client: &Client,
    envelope: &Envelope,
    timestamp: i64,
    secrets: Secrets,
) -> Result<StatusCode, Failure> {
    let Envelope { to, id, message, allow_private_addresses } = envelope;
    if !allow_private_addresses {
        check_literal(to.url()).map_err(|refused| Failure::Final(refused.to_string()))?;
    }
    let signing = (id.clone(), Arc::clone(message));
    // It takes as long as the data are large.
    let signed = tokio::task::spawn_blocking(move || {
        let (id, message) = signing;
        let length: usize = message.pieces().map(|piece| piece.len()).sum();
        (length, secrets.sign(&id, timestamp, message.pieces()))
    });
    let (length, signature) = signed.await.map_err(|_| Failure::Final("the message cannot be signed".to_owned()))?;
    let pieces = message.pieces().map(Ok::<_, Infallible>);
    let request = client
        .post(to.url().clone())
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, length)
        .header(ID, id)
        .header(TIMESTAMP, timestamp)
        .header(SIGNATURE, signature)
        .body(Body::wrap_stream(stream::iter(pieces)));
    judge(request.send().await.map_err(failure)?).await
}

/// What an answer means.
async fn judge(answer: Response) -> Result<StatusCode, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(status);
    }
    let wait = client::retry_after(answer.headers(), chrono::Utc::now());
    let reason = format!("it answered {}", client::told(answer).await);
    Err(match status.as_u16() {
        408 | 429 | 500.. => Failure::Passing { reason, wait },
        300..400 => Failure::Final(format!("{reason}; redirects are not followed: set `url` to where it leads")),
        _ => Failure::Final(reason),
    })
}

/// Why there is no answer.
fn failure(error: reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(one) = cause {
        if let Some(refused) = one.downcast_ref::<NotPublic>() {
            return Failure::Final(refused.to_string());
        }
        cause = one.source();
    }
    Failure::Passing { reason: client::reason(error), wait: None }
}
