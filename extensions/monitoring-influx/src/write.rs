//! Writes lines over HTTP, and says what the answer means for them.

use crate::settings::{InfluxSettings, Target, Token};
use rivetgun::prelude::*;
use rivetgun_outbound::{
    builder, may_pass, reason,
    reqwest::{
        Client, Response,
        header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    },
    retry_after, told,
};
use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// What writes. It is made with the first batch.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    client: OnceLock<Client>,
    /// Until when the server does not want to be asked.
    not_before: Mutex<Option<Instant>>,
}

impl Writer {
    /// Writes lines, all or none of them as far as is known.
    pub(crate) async fn write(&self, settings: &InfluxSettings, lines: String) -> Result<()> {
        let Some(target) = settings.target() else { return Ok(()) };
        if let Some(wait) = self.wait() {
            return Err(Error::unavailable(format!(
                "{target} wants to be left alone for {} s more",
                wait.as_secs() + 1
            )));
        }
        let request = self.client(settings)?.post(target.url.clone()).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        let request = match authorization(settings.token()).await? {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        };
        match request.body(lines).send().await {
            Ok(answer) => self.judge(target, answer).await,
            Err(error) => Err(Error::unavailable(format!("{target}: {}", reason(error)))),
        }
    }

    /// Which answers mean that the same lines may be written later, and which that they never will.
    async fn judge(&self, target: &Target, answer: Response) -> Result<()> {
        let status = answer.status();
        let wait = retry_after(answer.headers(), chrono::Utc::now());
        match status.as_u16() {
            200..=299 => Ok(()),
            _ if may_pass(status) => {
                *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) =
                    wait.map(|wait| Instant::now() + wait);
                Err(Error::unavailable(format!("{target} answered {}", told(answer).await)))
            }
            // Not the fault of any line: people have to mend it, and the lines wait for as long as they may.
            300..=399 | 401 | 403 | 404 => Err(Error::unavailable(format!(
                "{target} answered {}; check `url`, `org`, `bucket` or `database`, and the token",
                told(answer).await
            ))),
            _ => Err(Error::failed(format!("{target} answered {}", told(answer).await))),
        }
    }

    /// How long the server still wants to be left alone.
    fn wait(&self) -> Option<Duration> {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before?.checked_duration_since(Instant::now())
    }

    fn client(&self, settings: &InfluxSettings) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = builder(concat!("rivetgun-monitoring-influx/", env!("CARGO_PKG_VERSION")));
        let client = client.timeout(settings.timeout()).build().map_err(|error| {
            // No line is to blame.
            Error::unavailable(format!("the HTTP client cannot be made: {}", reason(error)))
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// The header with the token. A file is read each time, so that a new token needs no restart.
async fn authorization(token: &Token) -> Result<Option<HeaderValue>> {
    let token = match token {
        Token::None => return Ok(None),
        Token::Given(token) => token.clone(),
        Token::File(path) => tokio::fs::read_to_string(path).await.map_err(|error| {
            Error::unavailable(format!("the `token_file` {} cannot be read: {error}", path.display()))
        })?,
    };
    let mut header = HeaderValue::try_from(format!("Token {}", token.trim()))
        .map_err(|_| Error::unavailable("the token holds letters that no token has; check `token` or `token_file`"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}
