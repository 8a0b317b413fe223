//! The HTTP client: sends a message once, and says what its answer means.

use crate::{
    address::{NotPublic, PublicOnly, check_literal},
    message::Message,
    secret::{ID, SIGNATURE, Secrets, TIMESTAMP},
    settings::{HttpUrl, WebhookSettings},
};
use futures_util::stream;
use reqwest::{
    Body, Client, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    redirect,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;
use std::{convert::Infallible, error::Error as StdError, sync::Arc, time::Duration};

/// Bytes of an answer that are read, for people.
const SHOWN: usize = 500;
/// The longest that a receiver can make its tasks wait.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);

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
    let client = Client::builder()
        .tls_backend_preconfigured(tls())
        .connect_timeout(settings.connect_timeout())
        .timeout(settings.timeout())
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        // Tasks are few and far between, and a connection that was closed in the meantime would look like an outage.
        .pool_max_idle_per_host(0)
        .no_proxy()
        .referer(false)
        .user_agent(concat!("rivetgun-webhook/", env!("CARGO_PKG_VERSION")));
    let client = if settings.allow_private_addresses { client } else { client.dns_resolver(PublicOnly) };
    client.build()
}

/// Trusts whom the system trusts; where it trusts nobody, as a bare container does, whom Mozilla trusts.
fn tls() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().expect("ring has cipher suites for TLS 1.2 and 1.3");
    let config = match Verifier::new(provider) {
        Ok(verifier) => config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        Err(error) => {
            tracing::debug!(%error, "the system has no certificates of authorities");
            config.with_root_certificates(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))
        }
    };
    config.with_no_client_auth()
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
async fn judge(response: Response) -> Result<StatusCode, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(status);
    }
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| wish(value.to_str().ok()?, chrono::Utc::now()));
    let reason = format!("it answered {status}{}", beginning(response).await);
    Err(match status.as_u16() {
        408 | 429 | 500.. => Failure::Passing { reason, wait },
        300..400 => Failure::Final(format!("{reason}; redirects are not followed: set `url` to where it leads")),
        _ => Failure::Final(reason),
    })
}

/// The beginning of the text of an answer, on one line, behind a colon.
async fn beginning(mut response: Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() >= SHOWN {
            read.truncate(SHOWN);
            break;
        }
    }
    let text = visible(&String::from_utf8_lossy(&read));
    if text.is_empty() { text } else { format!(": {text}") }
}

/// A text of others on one line, and without letters that no database takes.
fn visible(text: &str) -> String {
    let text = text.replace(|letter: char| letter.is_control(), " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How long `Retry-After` asks to wait: seconds, or until a date.
fn wish(value: &str, now: chrono::DateTime<chrono::Utc>) -> Option<Duration> {
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = chrono::DateTime::parse_from_rfc2822(value).ok()?;
            until.signed_duration_since(now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WISH))
}

/// Why there is no answer. The URL is left out: secrets stand in it.
fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut cause: &(dyn StdError + 'static) = &error;
    loop {
        if let Some(refused) = cause.downcast_ref::<NotPublic>() {
            return Failure::Final(refused.to_string());
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    let cause = visible(&cause.to_string());
    let reason = match (error.is_timeout(), error.is_connect()) {
        (true, true) => "no connection came about in time".to_owned(),
        (true, false) => "it did not answer in time".to_owned(),
        (false, true) => format!("it cannot be reached: {cause}"),
        (false, false) => format!("the connection broke: {cause}"),
    };
    Failure::Passing { reason, wait: None }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_WISH, wish};
    use std::time::Duration;

    #[test]
    fn a_wish_to_wait_is_granted_within_limits() {
        let now = "2026-11-21T12:00:00Z".parse().expect("a time");
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("999999999999", Some(LONGEST_WISH.as_secs())),
            ("Sat, 21 Nov 2026 12:00:07 GMT", Some(7)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wish(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
