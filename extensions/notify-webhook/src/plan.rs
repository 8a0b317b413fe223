//! A target whose settings make sense, and all that is wrong with one whose do not.

use crate::{
    checked::Checked,
    settings::{Filters, TargetSettings},
};
use rivetgun::prelude::Filter;
use rivetgun_outbound::{
    HttpUrl, Reach, Secret, SecretSource,
    reqwest::header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, TRANSFER_ENCODING,
    },
};
use std::{fmt, path::PathBuf, time::Duration};

/// The longest name of a target.
const LONGEST_NAME: usize = 64;
/// The headers that belong to the message itself, beside `webhook-…`.
const OURS: [HeaderName; 6] = [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

/// What is posted where, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) url: HttpUrl,
    /// Which events, as one filter.
    pub(crate) filter: String,
    pub(crate) headers: HeaderMap,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) reach: Reach,
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
    previous_secrets: Vec<Secret>,
}

/// Why a target makes no sense.
struct Wrong<'n> {
    target: &'n str,
    all: Vec<String>,
}

impl Plan {
    /// What the settings of a target say, or all that is wrong with them.
    pub(crate) fn of(name: &str, settings: &TargetSettings) -> Result<Self, Vec<String>> {
        let mut wrong = Wrong { target: name, all: Vec::new() };
        wrong.check_name();
        let url = url(settings, &mut wrong);
        let filter = filter(&settings.events, &mut wrong);
        let headers = headers(settings, &mut wrong);
        let secret = settings.secret.as_ref().and_then(|secret| wrong.sift("secret", secret));
        let previous = settings.previous_secrets.iter();
        let previous_secrets = previous.filter_map(|secret| wrong.sift("previous_secrets", secret)).collect();
        if settings.secret.is_none() && settings.secret_file.is_none() {
            wrong.note("secret", "set it, or `secret_file`; `echo whsec_$(openssl rand -base64 32)` makes one");
        }
        let Some(url) = url.filter(|_| wrong.all.is_empty()) else { return Err(wrong.all) };
        Ok(Self {
            url,
            filter,
            headers,
            connect_timeout: Duration::from_secs(settings.connect_timeout.get().into()),
            timeout: Duration::from_secs(settings.timeout.get().into()),
            reach: settings.allow_private_addresses,
            secret,
            secret_file: settings.secret_file.clone(),
            previous_secrets,
        })
    }

    /// Where the secrets are that it is signed with.
    pub(crate) fn secrets(&self) -> SecretSource<'_> {
        SecretSource {
            secret: self.secret.as_ref(),
            file: self.secret_file.as_deref(),
            previous: &self.previous_secrets,
        }
    }
}

fn url(settings: &TargetSettings, wrong: &mut Wrong<'_>) -> Option<HttpUrl> {
    let Some(url) = &settings.url else {
        wrong.note("url", "set it to where events are to be posted");
        return None;
    };
    let url = wrong.sift("url", url)?;
    if let Err(refused) = settings.allow_private_addresses.check(url.url()) {
        wrong.note("url", format!("{refused} beside it"));
    }
    Some(url)
}

/// All filters as one. They are written anew, so that none of them runs into the next.
fn filter(filters: &Filters, wrong: &mut Wrong<'_>) -> String {
    let texts = match filters {
        Filters::One(text) => std::slice::from_ref(text),
        Filters::Several(texts) => texts,
    };
    if texts.is_empty() {
        wrong.note("events", "the list is empty; write type.action.key, as in `nodes.create,delete.*`");
    }
    let parsed = texts.iter().map(|text| text.parse::<Filter>());
    let good = parsed.filter_map(|parsed| parsed.map_err(|error| wrong.note("events", error)).ok());
    good.map(|filter| filter.to_string()).collect::<Vec<_>>().join(" ")
}

fn headers(settings: &TargetSettings, wrong: &mut Wrong<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let key = format!("headers.{}", name.escape_debug());
        let value = wrong.sift(&key, value);
        match HeaderName::try_from(name) {
            Err(error) => wrong.note(&key, error),
            Ok(name) if OURS.contains(&name) || name.as_str().starts_with("webhook-") => {
                wrong.note(&key, "this header belongs to the message itself, and cannot be set");
            }
            Ok(name) => {
                if let Some(mut value) = value {
                    value.set_sensitive(true);
                    headers.append(name, value);
                }
            }
        }
    }
    headers
}

impl Wrong<'_> {
    fn note(&mut self, key: &str, why: impl fmt::Display) {
        self.all.push(format!("`targets.{}.{key}`: {why}", self.target.escape_debug()));
    }

    /// What is set, where it is well.
    fn sift<T: Clone>(&mut self, key: &str, checked: &Checked<T>) -> Option<T> {
        checked.get().map_err(|why| self.note(key, why)).ok().cloned()
    }

    /// The name is kept in the database, and stands in commands, logs and URLs.
    fn check_name(&mut self) {
        let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if !(1..=LONGEST_NAME).contains(&self.target.len()) || !self.target.bytes().all(is_usual) {
            let name = self.target.escape_debug();
            self.all.push(format!("`targets.{name}`: a name is 1 to {LONGEST_NAME} of a-z, 0-9, `_` and `-`"));
        }
    }
}
