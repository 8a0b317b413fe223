//! The section `[extensions.config_overlay]`.

use rivetgun::prelude::*;
use serde::Deserialize;
use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

/// The section `[extensions.config_overlay]`; the README of the crate tells more.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct OverlaySettings {
    /// The directory below which all overlays lie.
    root: Option<PathBuf>,
    /// Seconds for reading all files of a cluster.
    read_timeout: NonZeroU32,
    /// Bytes of the largest file that is read.
    pub(crate) max_file_bytes: u64,
    /// Bytes of all files of a cluster together.
    pub(crate) max_total_bytes: u64,
    /// The program that reads what a ref points to.
    pub(crate) git: PathBuf,
}

impl Default for OverlaySettings {
    fn default() -> Self {
        Self {
            root: None,
            read_timeout: NonZeroU32::MIN.saturating_add(9),
            max_file_bytes: 1 << 20,
            max_total_bytes: 16 << 20,
            git: "git".into(),
        }
    }
}

impl OverlaySettings {
    /// The directory below which all overlays lie.
    pub(crate) fn root(&self) -> Result<&Path> {
        self.root.as_deref().ok_or_else(|| {
            Error::unavailable("no `root` is set: write it below [extensions.config_overlay] in the settings file")
        })
    }

    pub(crate) fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout.get().into())
    }
}
