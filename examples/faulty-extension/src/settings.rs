//! The section `[extensions.faulty]`: what is to go wrong in its life.

use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub(crate) validate: Validation,
    pub(crate) initialize: Fault,
    pub(crate) start: Fault,
    pub(crate) close: Fault,
    pub(crate) work: Work,
    /// A file to which it adds a line for each step of its life.
    pub(crate) diary: Option<PathBuf>,
}

/// What `validate` makes of these settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Validation {
    #[default]
    None,
    /// It refuses them.
    Invalid,
    /// It blocks its thread for ever.
    Block,
}

/// What goes wrong in a step of its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fault {
    #[default]
    None,
    /// It returns an error.
    Error,
    /// It says that something is away, in words that callers may read.
    Away,
    /// It panics.
    Panic,
    /// It waits for ever, and can be dropped.
    Hang,
    /// It blocks its thread for ever.
    Block,
}

/// What it does in the background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    #[default]
    None,
    /// It waits until it is told to end, and says so in the diary.
    Endless,
    /// It ends well at once.
    Short,
    /// It fails the first time, and works from then on.
    Error,
    /// It panics the first time, and works from then on.
    Panic,
    /// It does not heed that it is told to end.
    Deaf,
}
