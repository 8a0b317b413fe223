//! The section `[extensions.<name>]` of the settings, in the extension's own type.

use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;

/// The settings of an extension that has none.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct NoSettings {}

/// What the operator wants when an extension fails inside of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFault {
    /// The change is refused.
    #[default]
    Refuse,
    /// The change goes on without what the extension wrote, and a notification tells.
    Isolate,
}

/// The keys of every extension's section that the server itself reads.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Containment {
    #[serde(default)]
    pub(crate) on_fault: OnFault,
    /// How long a hook may take, in milliseconds.
    pub(crate) hook_timeout_ms: Option<u64>,
}

impl Containment {
    pub(crate) const KEYS: [&'static str; 2] = ["on_fault", "hook_timeout_ms"];

    /// Takes the server's own keys out of a section.
    pub(crate) fn take_from(section: &mut toml::Table) -> Result<Self, Vec<SectionError>> {
        let own = Self::KEYS.into_iter().filter_map(|key| section.remove_entry(key)).collect();
        extension_section(own)
    }

    pub(crate) fn hook_timeout(&self, default: Duration) -> Duration {
        self.hook_timeout_ms.map_or(default, Duration::from_millis)
    }
}

/// What is wrong with a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SectionError {
    /// The key below the section, dotted.
    pub(crate) key: String,
    pub(crate) detail: String,
}

/// Reads a section. A key that the type does not have is an error, whatever the type itself thinks of it.
pub(crate) fn extension_section<T: DeserializeOwned>(section: toml::Table) -> Result<T, Vec<SectionError>> {
    let mut errors = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(toml::Value::Table(section), &mut track);
    let read = serde_ignored::deserialize(tracked, |path| {
        errors.push(SectionError { key: path.to_string(), detail: "there is no such setting".to_owned() });
    });
    match read {
        Ok(settings) if errors.is_empty() => Ok(settings),
        Ok(_) => Err(errors),
        Err(error) => {
            let detail = error.to_string().trim_end().replace('\n', " ");
            errors.push(SectionError { key: track.path().to_string(), detail });
            Err(errors)
        }
    }
}
