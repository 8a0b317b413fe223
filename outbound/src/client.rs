//! The HTTP client.

use crate::{
    address::{PublicOnly, Reach},
    answer::{Failure, judge},
};
use reqwest::{Body, ClientBuilder, StatusCode, Url, header::HeaderMap, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

const CONNECT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Servers close connections that are idle, many after five seconds. One that is closed while it is used again looks like
/// an outage.
const IDLE: Duration = Duration::from_secs(4);

/// Whom all clients of the process trust: whom the system does, and where it trusts nobody, as a bare container does, whom
/// Mozilla does.
static TLS: LazyLock<ClientConfig> = LazyLock::new(|| {
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
});

/// Begins a client, which calls itself `user_agent`. It has ten seconds to connect and thirty for an answer, follows no
/// redirects, tries nothing again, and heeds no proxy of the environment.
///
/// TLS trusts whom the system trusts; where it trusts nobody, as a bare container does, whom Mozilla trusts. That is read
/// once in the life of the process, and takes a while: make the first client where blocking is allowed.
pub fn builder(user_agent: &str) -> ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(TLS.clone())
        .connect_timeout(CONNECT)
        .timeout(TIMEOUT)
        .pool_idle_timeout(IDLE)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .user_agent(user_agent)
}

/// What posts, to where the settings let it. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    client: reqwest::Client,
    reach: Reach,
}

impl Client {
    /// Makes a client of what [`builder`] began.
    ///
    /// # Errors
    /// What reqwest says.
    pub fn new(builder: ClientBuilder, reach: Reach) -> reqwest::Result<Self> {
        let builder = match reach {
            Reach::Internet => builder.dns_resolver(PublicOnly),
            Reach::Anywhere => builder,
        };
        Ok(Self { client: builder.build()?, reach })
    }

    /// Posts once, and says what the answer means. What a good answer says beside its status is not read; of any other, the
    /// beginning is.
    ///
    /// Credentials in the URL are sent as basic authorisation.
    ///
    /// # Errors
    /// When the answer is not 2xx, or there is none.
    pub async fn post(&self, to: &Url, headers: HeaderMap, body: impl Into<Body>) -> Result<StatusCode, Failure> {
        self.reach.check(to).map_err(Failure::NotPublic)?;
        let answer = self.client.post(to.clone()).headers(headers).body(body).send().await;
        judge(answer.map_err(Failure::of)?).await
    }
}
