//! What extensions call other systems with, so that all of them do it in the same way (feature `client`).
//!
//! ```no_run
//! # async fn tell() -> Result<(), Box<dyn std::error::Error>> {
//! let client = rivetgun::client::builder("rivetgun-bell/1.0").build()?;
//! let answer = client.post("https://bell.example.org/ring").send().await;
//! match answer {
//!     Ok(answer) if answer.status().is_success() => {}
//!     Ok(answer) => println!("it answered {}", rivetgun::client::told(answer).await),
//!     Err(error) => println!("{}", rivetgun::client::reason(error)),
//! }
//! # Ok(())
//! # }
//! ```

pub use reqwest;

use chrono::{DateTime, Utc};
use reqwest::{
    Client, ClientBuilder, Response, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;
use serde::Deserialize;
use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// Bytes of an answer that are read, for people.
const SHOWN: usize = 500;
/// The longest that somebody else can make us wait.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);
const CONNECT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Begins a client, which calls itself `user_agent`. It has ten seconds to connect and thirty for an answer, follows no
/// redirects, tries nothing again, and heeds no proxy of the environment.
///
/// TLS trusts whom the system trusts; where it trusts nobody, as a bare container does, whom Mozilla trusts. To read that
/// takes a while: a client is made once.
pub fn builder(user_agent: &str) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls())
        .connect_timeout(CONNECT)
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .user_agent(user_agent)
}

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

/// An `http` or `https` URL of the settings. It is shown without its path and its credentials, where secrets stand.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpUrl(Url);

impl HttpUrl {
    /// The whole of it.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// This URL with more segments at the end of its path, each as it is: none of them becomes two.
    #[must_use]
    pub fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text).map_err(|error| error.to_string())?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            scheme => Err(format!("the URL must begin with http:// or https://, and this begins with {scheme}:")),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// How long the answer asks to wait by `Retry-After`, in seconds or until a date; an hour at most.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    wish(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

fn wish(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(value).ok()?;
            until.signed_duration_since(now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WISH))
}

/// The status of an answer, and behind a colon the beginning of its text, on one line: `404 Not Found: no such bucket`.
pub async fn told(mut answer: Response) -> String {
    let status = answer.status();
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() >= SHOWN {
            read.truncate(SHOWN);
            break;
        }
    }
    match visible(&String::from_utf8_lossy(&read)) {
        text if text.is_empty() => status.to_string(),
        text => format!("{status}: {text}"),
    }
}

/// Why there is no answer. The URL is left out: secrets stand in it.
#[must_use]
pub fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &(dyn StdError + 'static) = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let cause = visible(&cause.to_string());
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => "no connection came about in time".to_owned(),
        (true, false) => "it did not answer in time".to_owned(),
        (false, true) => format!("it cannot be reached: {cause}"),
        (false, false) => format!("the connection broke: {cause}"),
    }
}

/// A text of others on one line, and without letters that no database takes.
fn visible(text: &str) -> String {
    let text = text.replace(|letter: char| letter.is_control(), " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{HttpUrl, LONGEST_WISH, wish};
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

    #[test]
    fn a_url_shows_where_it_leads_and_none_of_its_secrets() {
        let url = HttpUrl::try_from("https://user:pass@example.org:8443/se/cret/?token=x".to_owned()).expect("a URL");
        assert_eq!((url.to_string(), format!("{url:?}")), (["https://example.org:8443"; 2].map(str::to_owned)).into());
        assert_eq!(url.join(&["a b", "c/d"]).path(), "/se/cret/a%20b/c%2Fd");
        let refused = HttpUrl::try_from("ftp://example.org".to_owned()).expect_err("no HTTP");
        assert_eq!(refused, "the URL must begin with http:// or https://, and this begins with ftp:");
    }
}
