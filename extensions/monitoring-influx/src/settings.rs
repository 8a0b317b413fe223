//! The section `[extensions.monitoring_influx]`.

use rivetgun_outbound::{HttpUrl, reqwest::Url};
use serde::Deserialize;
use std::{fmt, num::NonZeroU32, path::PathBuf, time::Duration};

/// The section `[extensions.monitoring_influx]`; the README of the crate tells more.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Section")]
pub struct InfluxSettings {
    target: Option<Target>,
    token: Token,
    timeout: Duration,
}

/// Where lines go.
#[derive(Clone)]
pub(crate) struct Target {
    /// The server, as it may be shown.
    shown: String,
    /// Where lines are posted to.
    pub(crate) url: Url,
}

/// What tells the server who writes.
#[derive(Clone)]
pub(crate) enum Token {
    None,
    Given(String),
    File(PathBuf),
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(default)]
struct Section {
    url: Option<HttpUrl>,
    org: Option<String>,
    bucket: Option<String>,
    database: Option<String>,
    retention_policy: Option<String>,
    token: Option<String>,
    token_file: Option<PathBuf>,
    timeout: NonZeroU32,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            url: None,
            org: None,
            bucket: None,
            database: None,
            retention_policy: None,
            token: None,
            token_file: None,
            timeout: NonZeroU32::MIN.saturating_add(7),
        }
    }
}

impl Section {
    /// Where lines go, if anywhere.
    fn target(&self) -> Result<Option<Target>, String> {
        let Some(server) = &self.url else { return Ok(None) };
        let url = match (&self.org, &self.bucket, &self.database) {
            (org, Some(bucket), None) => {
                let mut url = server.join(&["api", "v2", "write"]);
                if let Some(org) = org {
                    url.query_pairs_mut().append_pair("org", org);
                }
                url.query_pairs_mut().append_pair("bucket", bucket);
                url
            }
            (None, None, Some(database)) => {
                let mut url = server.join(&["write"]);
                url.query_pairs_mut().append_pair("db", database);
                if let Some(policy) = &self.retention_policy {
                    url.query_pairs_mut().append_pair("rp", policy);
                }
                url
            }
            _ => {
                return Err("`url` needs either `bucket`, with `org` where there are several, or `database`".to_owned());
            }
        };
        let mut url = url;
        url.query_pairs_mut().append_pair("precision", "ns");
        Ok(Some(Target { shown: server.to_string(), url }))
    }
}

impl TryFrom<Section> for InfluxSettings {
    type Error = String;

    fn try_from(section: Section) -> Result<Self, String> {
        let target = section.target()?;
        let token = match (section.token, section.token_file) {
            (None, None) => Token::None,
            (Some(token), None) => Token::Given(token),
            (None, Some(path)) => Token::File(path),
            (Some(_), Some(_)) => return Err("only one of `token` and `token_file` can be set".to_owned()),
        };
        Ok(Self { target, token, timeout: Duration::from_secs(section.timeout.get().into()) })
    }
}

impl InfluxSettings {
    pub(crate) fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// Passwords may stand in the URL.
impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "no token",
            Self::Given(_) => "a token",
            Self::File(_) => "a file with a token",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::InfluxSettings;
    use rivetgun::prelude::{Value, json};
    use serde::Deserialize;

    #[track_caller]
    fn check(section: Value, expected: &str) {
        let read = InfluxSettings::deserialize(section);
        let told = read.map_or_else(|error| error.to_string(), |settings| format!("{settings:?}"));
        assert!(told.contains(expected), "{expected} in {told}");
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_what_does() {
        let either = "`url` needs either `bucket`, with `org` where there are several, or `database`";
        check(json!({"url": "http://x"}), either);
        check(json!({"url": "http://x", "org": "o"}), either);
        check(json!({"url": "http://x", "bucket": "b", "database": "d"}), either);
        check(json!({"url": "x:8086", "bucket": "b"}), "must begin with http:// or https://");
        check(json!({"url": "http://x", "bucket": "b", "token": "t", "token_file": "f"}), "only one of");
        check(json!({"timeout": 0}), "nonzero");
    }

    #[test]
    fn secrets_are_not_shown() {
        let section = json!({"url": "http://u:secret@x/secret", "bucket": "b", "token": "secret"});
        check(section.clone(), "target: Some(http://x), token: a token");
        let shown = format!("{:?}", InfluxSettings::deserialize(section));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
