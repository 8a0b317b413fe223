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

    /// Checks the `root`, where one is set: without one the extension has nothing to read, and nobody can say where.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.root {
            Some(root) => check_root(root),
            None => Ok(()),
        }
    }

    pub(crate) fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout.get().into())
    }
}

/// Whether overlays can lie below a root; what to do where they cannot. This asks the file system.
pub(crate) fn check_root(root: &Path) -> Result<()> {
    if !root.is_absolute() {
        return Err(Error::invalid(
            "the `root` of [extensions.config_overlay] is not an absolute path: write it from `/` on",
        ));
    }
    match root.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::invalid(
            "the `root` of [extensions.config_overlay] is not a directory: make it one, or set another",
        )),
        Err(error) => Err(Error::invalid(format!(
            "the `root` of [extensions.config_overlay] cannot be read ({error}): make it, or set another"
        ))),
    }
}
