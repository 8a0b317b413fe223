//! What extensions of these tests do in their lives: as their settings want, and noted in a diary.

use rivetgun::prelude::*;
use serde::Deserialize;
use std::{
    fs::{File, read_to_string},
    io::Write,
    path::{Path, PathBuf},
};

/// The settings of such an extension.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Steps {
    /// Whether what it needs is away.
    away: bool,
    /// A file that gets a line for each step.
    diary: Option<PathBuf>,
}

impl Steps {
    pub(crate) fn initialize(&self, extension: &str) -> Result<()> {
        self.note(&format!("{extension} initializes"))?;
        if self.away { Err(Error::unavailable(format!("{extension} is away"))) } else { Ok(()) }
    }

    pub(crate) fn note(&self, step: &str) -> Result<()> {
        if let Some(diary) = &self.diary {
            writeln!(File::options().create(true).append(true).open(diary)?, "{step}")?;
        }
        Ok(())
    }
}

/// The lines of a diary so far.
pub(crate) fn read(diary: &Path) -> Vec<String> {
    read_to_string(diary).unwrap_or_default().lines().map(str::to_owned).collect()
}
