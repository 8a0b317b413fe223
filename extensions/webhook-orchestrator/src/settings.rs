//! The section `[extensions.webhook_orchestrator]`.

use rivetgun::prelude::*;
use rivetgun_outbound::{HttpUrl, NoSecrets, Reach, Secret, SecretSource, Secrets};
use serde::Deserialize;
use std::{num::NonZeroU32, path::PathBuf, time::Duration};

/// The section `[extensions.webhook_orchestrator]`; the README of the crate tells more.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct WebhookSettings {
    /// Where tasks go.
    url: Option<HttpUrl>,
    /// The secret that both sides know: `whsec_` and base64.
    secret: Option<Secret>,
    /// A file of secrets, one a line, the present one first. It is read each time.
    secret_file: Option<PathBuf>,
    /// Secrets that are good as well, while the receiver is given a new one.
    previous_secrets: Vec<Secret>,
    /// Seconds until a connection must be there.
    connect_timeout: NonZeroU32,
    /// Seconds for a request with its answer.
    timeout: NonZeroU32,
    /// Seconds for which a task is offered again to a receiver that is away.
    retry_for: u32,
    /// Whether the receiver may be on this machine, or in a network of one's own.
    pub(crate) allow_private_addresses: Reach,
    /// Seconds that the time of a report may be off.
    tolerance: u32,
    /// The public address of this server, before `/api/v1`, where the receiver is to be told the whole URL for its reports.
    report_url: Option<HttpUrl>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        let seconds = |seconds: u32| NonZeroU32::MIN.saturating_add(seconds - 1);
        Self {
            url: None,
            secret: None,
            secret_file: None,
            previous_secrets: Vec::new(),
            connect_timeout: seconds(10),
            timeout: seconds(60),
            retry_for: 24 * 60 * 60,
            allow_private_addresses: Reach::Internet,
            tolerance: 300,
            report_url: None,
        }
    }
}

impl WebhookSettings {
    /// Where tasks go.
    pub(crate) fn receiver(&self) -> Result<&HttpUrl> {
        self.url.as_ref().ok_or_else(|| unset("url"))
    }

    /// The secrets that are good now; there is at least one.
    pub(crate) async fn secrets(&self) -> Result<Secrets> {
        let source = SecretSource {
            secret: self.secret.as_ref(),
            file: self.secret_file.as_deref(),
            previous: &self.previous_secrets,
        };
        source.read().await.map_err(|error| match error {
            NoSecrets::Unset => unset("secret` or `secret_file"),
            error => {
                tracing::error!(%error, "the file of the webhook's secrets is of no use");
                Error::unavailable(
                    "the `secret_file` of [extensions.webhook_orchestrator] is of no use; the server's log tells why",
                )
            }
        })
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout.get().into())
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.get().into())
    }

    pub(crate) fn retry_for(&self) -> Duration {
        Duration::from_secs(self.retry_for.into())
    }

    pub(crate) fn tolerance(&self) -> u32 {
        self.tolerance
    }

    /// Where reports about a task are taken: a URL, or its path where the address of this server is not set.
    pub(crate) fn report_url(&self, task: Uuid) -> String {
        let server = self.report_url.as_ref().map_or("", |server| server.url().as_str().trim_end_matches('/'));
        format!("{server}/api/v1/tasks/{task}/report")
    }
}

fn unset(setting: &str) -> Error {
    Error::unavailable(format!(
        "no `{setting}` is set: write it below [extensions.webhook_orchestrator] in the settings file"
    ))
}
