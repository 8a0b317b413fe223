//! What an operator can set of the orchestrator `local`.

use crate::model::Work;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
};

/// The section `[orchestrators.local]` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LocalSettings {
    /// The shell command that provisions a node; without one, documents are written to files.
    pub(crate) provision: Option<String>,
    /// The shell command that deploys a node; without one, documents are written to files.
    pub(crate) deploy: Option<String>,
    /// The shell command that takes everything from a node that is reset; without one, nothing is run.
    pub(crate) reset: Option<String>,
    /// The shell command that takes everything from a node that is removed; without one, nothing is run.
    pub(crate) remove: Option<String>,
    /// How many nodes are worked on at once.
    pub(crate) parallel: NonZeroU16,
    /// How long a command may take, in seconds.
    pub(crate) time_limit: NonZeroU64,
    /// What each process of a command may use.
    pub(crate) limits: Limits,
}

impl Default for LocalSettings {
    fn default() -> Self {
        let (parallel, time_limit) = (NonZeroU16::MIN.saturating_add(7), NonZeroU64::MIN.saturating_add(5399));
        let limits = Limits::default();
        Self { provision: None, deploy: None, reset: None, remove: None, parallel, time_limit, limits }
    }
}

impl LocalSettings {
    pub(super) fn command(&self, work: Work) -> Option<&str> {
        match work {
            Work::Provision => self.provision.as_deref(),
            Work::Deployment => self.deploy.as_deref(),
            Work::Reset => self.reset.as_deref(),
            Work::Removal => self.remove.as_deref(),
            Work::Stop => None,
        }
    }
}

/// The section `[orchestrators.local.limits]`: limits that the system holds, each for every process of a command on its own.
/// What is not set is as the server itself has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Address space in MiB, of which some programs take far more than they use.
    memory_mb: Option<NonZeroU32>,
    /// Seconds of a processor.
    cpu_seconds: Option<NonZeroU32>,
    /// Files that are open at once.
    open_files: Option<NonZeroU32>,
    /// The size of a file that is written, in MiB.
    file_mb: Option<NonZeroU32>,
}

/// With this code the shell ends in place of a command whose limits cannot be set.
const REFUSED: i32 = 125;
/// What it says begins like this.
const REFUSAL: &str = "the limit ";

impl Limits {
    /// A line of shell that sets the limits and goes on with `line`, as the same shell: so nothing runs without them, and no
    /// code of ours between the fork and the command.
    pub(super) fn before<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let Self { memory_mb, cpu_seconds, open_files, file_mb } = self;
        let number = |limit: NonZeroU32| u64::from(limit.get());
        let set = [
            limit("open_files", *open_files, |files| format!("ulimit -n {}", number(files))),
            // In blocks of 512 bytes.
            limit("file_mb", *file_mb, |mb| format!("ulimit -f {}", number(mb) * 2048)),
            // At the soft limit a process is told by SIGXCPU, at the hard one it is killed without a reason.
            limit("cpu_seconds", *cpu_seconds, |seconds| {
                format!("ulimit -S -t {} && ulimit -H -t {}", number(seconds), number(seconds) + 1)
            }),
            limit("memory_mb", *memory_mb, |mb| format!("ulimit -v {}", number(mb) * 1024)),
        ];
        if *self == Self::default() { line.into() } else { format!("{}{line}", set.concat()).into() }
    }

    /// Whether a shell that ended like this could not set a limit; then its last words are why.
    pub(super) fn is_refusal(code: i32, last_words: &str) -> bool {
        code == REFUSED && last_words.starts_with(REFUSAL)
    }

    /// The limit that a process has reached which this signal ended.
    pub(super) fn that_ends_with(&self, signal: i32) -> Option<String> {
        let tell = |name: &str, limit: Option<NonZeroU32>| limit.map(|limit| format!("{name} = {limit}"));
        match signal {
            signal if signal == Signal::XCPU.as_raw() => tell("cpu_seconds", self.cpu_seconds),
            signal if signal == Signal::XFSZ.as_raw() => tell("file_mb", self.file_mb),
            _ => None,
        }
    }
}

fn limit(name: &str, limit: Option<NonZeroU32>, set: impl Fn(NonZeroU32) -> String) -> String {
    let Some(limit) = limit else { return String::new() };
    let why = format!("{REFUSAL}{name} = {limit} cannot be set; lower it, or raise that of the server");
    format!("{{ {}; }} || {{ echo '{why}' >&2; exit {REFUSED}; }}; ", set(limit))
}
