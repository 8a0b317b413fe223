//! What an answer means, or that there is none.

use crate::address::NotPublic;
use chrono::{DateTime, Utc};
use reqwest::{
    Response, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use std::{error::Error as StdError, time::Duration};

/// Bytes of an answer that are read, for people.
const SHOWN: usize = 500;
/// The longest that somebody else can make us wait.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);

/// Why something was not taken. It can be shown: it has nothing of the URL but its host.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing was sent: where it would go is not on the internet.
    #[error(transparent)]
    NotPublic(NotPublic),
    /// No answer came.
    #[error("{0}")]
    NoAnswer(String),
    /// An answer came that is not 2xx.
    #[error("it answered {told}")]
    Answered {
        /// Its status.
        status: StatusCode,
        /// Its status and the beginning of its text, as [`told`] has it; of a redirect, what to do.
        told: String,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
}

impl Failure {
    /// Whether the same may be taken the next time: no answer came, or one that [may pass](may_pass).
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotPublic(_) => false,
            Self::NoAnswer(_) => true,
            Self::Answered { status, .. } => may_pass(*status),
        }
    }

    /// How long the other side asks to wait, an hour at most.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Answered { wait, .. } => *wait,
            Self::NotPublic(_) | Self::NoAnswer(_) => None,
        }
    }

    pub(crate) fn of(error: reqwest::Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(one) = cause {
            if let Some(refused) = one.downcast_ref::<NotPublic>() {
                return Self::NotPublic(refused.clone());
            }
            cause = one.source();
        }
        Self::NoAnswer(reason(error))
    }
}

/// Whether an answer of this status is about the moment, so that the same may be taken the next time: 408, 425, 429 or 5xx.
/// What else may pass, since a person can mend it, is for the caller to say.
#[must_use]
pub fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500..)
}

pub(crate) async fn judge(answer: Response) -> Result<StatusCode, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(status);
    }
    let wait = retry_after(answer.headers(), Utc::now());
    let told = told(answer).await;
    let told = match status.is_redirection() {
        true => format!("{told}; redirects are not followed: set `url` to where it leads"),
        false => told,
    };
    Err(Failure::Answered { status, told, wait })
}

/// How long an answer asks to wait by `Retry-After`, in seconds or until a date; an hour at most.
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
    use super::{Failure, LONGEST_WISH, wish};
    use reqwest::StatusCode;
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
    fn what_is_the_moment_s_fault_may_pass() {
        for (status, may_pass) in [(408, true), (425, true), (429, true), (500, true), (503, true), (599, true)]
            .into_iter()
            .chain([304, 400, 401, 404, 410, 413, 422].map(|status| (status, false)))
        {
            let status = StatusCode::from_u16(status).expect("a status");
            let failure = Failure::Answered { status, told: status.to_string(), wait: None };
            assert_eq!(failure.may_pass(), may_pass, "{status}");
        }
        assert!(Failure::NoAnswer(String::new()).may_pass());
    }
}
