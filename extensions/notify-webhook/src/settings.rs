//! The section `[extensions.notify_webhook]`, as it is written.

use crate::{checked::Checked, plan::Plan};
use rivetgun::prelude::*;
use rivetgun_outbound::{HttpUrl, NoSecrets, Reach, Secret, SecretSource, reqwest::header::HeaderValue};
use serde::Deserialize;
use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf};

/// The section `[extensions.notify_webhook]`; the README of the crate tells more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NotifySettings {
    /// Where events go. The names are those of the subscriptions.
    targets: BTreeMap<String, TargetSettings>,
}

/// A target, which may be wrong in many ways.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct TargetSettings {
    /// Where events are posted to.
    pub(crate) url: Option<Checked<HttpUrl>>,
    /// Which events.
    pub(crate) events: Filters,
    /// The secret that both sides know: `whsec_` and base64.
    pub(crate) secret: Option<Checked<Secret>>,
    /// A file of secrets, one a line, the present one first. It is read each time.
    pub(crate) secret_file: Option<PathBuf>,
    /// Secrets that are good as well, while the receiver is given a new one.
    pub(crate) previous_secrets: Vec<Checked<Secret>>,
    /// Headers of one's own.
    pub(crate) headers: BTreeMap<String, Checked<HeaderValue>>,
    /// Seconds until a connection must be there.
    pub(crate) connect_timeout: NonZeroU32,
    /// Seconds for a request with its answer.
    pub(crate) timeout: NonZeroU32,
    /// Whether the receiver may be on this machine, or in a network of one's own.
    pub(crate) allow_private_addresses: Reach,
}

/// One filter of events, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "write a filter of events such as \"nodes.create,delete.*\", or a list of them")]
pub(crate) enum Filters {
    One(String),
    Several(Vec<String>),
}

impl Default for TargetSettings {
    fn default() -> Self {
        let seconds = |seconds: u32| NonZeroU32::MIN.saturating_add(seconds - 1);
        Self {
            url: None,
            events: Filters::One(String::new()),
            secret: None,
            secret_file: None,
            previous_secrets: Vec::new(),
            headers: BTreeMap::new(),
            connect_timeout: seconds(5),
            // Less than the thirty seconds after which the server itself gives up a handler of events.
            timeout: seconds(20),
            allow_private_addresses: Reach::Internet,
        }
    }
}

impl NotifySettings {
    /// Refuses targets that make no sense, with all that is wrong. Files of secrets are read for that.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = self.targets.iter().flat_map(|(name, target)| {
            let of_file = target.file_of_no_use().map(|why| format!("`targets.{name}.secret_file`: {why}"));
            Plan::of(name, target).err().into_iter().flatten().chain(of_file)
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong.join("; "))) }
    }

    /// The targets that make sense: all, once they are [checked](Self::check).
    pub(crate) fn plans(&self) -> impl Iterator<Item = (&str, Plan)> {
        self.targets.iter().filter_map(|(name, target)| Some((name.as_str(), Plan::of(name, target).ok()?)))
    }
}

impl TargetSettings {
    fn file_of_no_use(&self) -> Option<NoSecrets> {
        let path = self.secret_file.as_deref()?;
        let read = SecretSource { file: Some(path), ..SecretSource::default() }.read_blocking();
        read.err().filter(|why| self.secret.is_none() || !matches!(why, NoSecrets::Empty(_)))
    }
}
