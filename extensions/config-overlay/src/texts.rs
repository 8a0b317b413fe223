//! The texts of overlays, within the limits of the settings.

use crate::settings::OverlaySettings;
use rivetgun::prelude::*;
use serde_saphyr::UserMessageFormatter;
use std::collections::BTreeMap;

/// How much is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_file_bytes: u64,
    pub(crate) max_total_bytes: u64,
}

impl Limits {
    pub(crate) fn of(settings: &OverlaySettings) -> Self {
        Self { max_file_bytes: settings.max_file_bytes, max_total_bytes: settings.max_total_bytes }
    }
}

/// What was read of the files of a cluster.
#[derive(Debug)]
pub(crate) struct Texts {
    limits: Limits,
    bytes: u64,
    by_name: BTreeMap<String, String>,
}

impl Texts {
    pub(crate) fn within(limits: Limits) -> Self {
        Self { limits, bytes: 0, by_name: BTreeMap::new() }
    }

    /// Whether a file of this size may be read.
    pub(crate) fn check(&self, name: &str, size: u64) -> Result<()> {
        let Limits { max_file_bytes, max_total_bytes } = self.limits;
        if size > max_file_bytes {
            return Err(Error::invalid(format!(
                "the overlay {name} is larger than {max_file_bytes} bytes, the `max_file_bytes` of the settings"
            )));
        }
        if self.bytes.saturating_add(size) > max_total_bytes {
            return Err(Error::invalid(format!(
                "the overlays of the cluster, up to {name}, are larger than {max_total_bytes} bytes, the \
                 `max_total_bytes` of the settings"
            )));
        }
        Ok(())
    }

    /// Takes what was read of a file.
    pub(crate) fn take(&mut self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let size = bytes.len() as u64;
        self.check(name, size)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::invalid(format!("the overlay {name} is not a text in UTF-8")))?;
        self.bytes += size;
        self.by_name.insert(name.to_owned(), text);
        Ok(())
    }

    /// What the texts say.
    pub(crate) fn parse(self) -> Result<BTreeMap<String, Object>> {
        self.by_name.into_iter().map(|(name, text)| parse(&name, &text).map(|overlay| (name, overlay))).collect()
    }
}

/// Reads the YAML of an overlay. What stands twice in one mapping is an error: only one of them would count.
fn parse(name: &str, text: &str) -> Result<Object> {
    let wrong = |detail: String| Error::invalid(format!("the overlay {name}: {detail}"));
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(Value::Object(overlay)) => Ok(overlay),
        // A file without anything but comments.
        Ok(Value::Null) => Ok(Object::new()),
        Ok(_) => Err(wrong("it must be a mapping of keys to values".to_owned())),
        Err(error) => Err(wrong(error.render_with_formatter(&UserMessageFormatter))),
    }
}
