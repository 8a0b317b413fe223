//! The settings: a file, over it the environment, over it the flags.

mod extensions;

pub(crate) use extensions::ExtensionSettings;

use crate::{agents::AgentSettings, deploy::LocalSettings, events::EventSettings, monitoring::MonitoringSettings};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Everything that an operator can set. The names are those of the TOML file.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where the server keeps its files. Default: `.rivetgun` in the working directory.
    pub(crate) state_dir: PathBuf,
    /// `sqlite:` or `postgres:` URL. Default: the file `rivetgun.sqlite` in the state directory.
    pub(crate) database_url: Option<String>,
    /// The address to listen on; port 0 picks one.
    pub(crate) listen: SocketAddr,
    /// Whether `serve` applies pending migrations before it starts.
    pub(crate) migrate: bool,
    /// The domain in which the host names of nodes stand.
    pub(crate) domain: String,
    pub(crate) limits: Limits,
    pub(crate) agents: AgentSettings,
    pub(crate) events: EventSettings,
    pub(crate) monitoring: MonitoringSettings,
    pub(crate) orchestrators: Orchestrators,
    /// Which extensions are active, and a section for each of them.
    pub(crate) extensions: ExtensionSettings,
    /// The file that was read, for messages.
    #[serde(skip)]
    pub(crate) file: Option<String>,
}

/// What may take how long, and be how large.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Bytes in the body of a request.
    pub(crate) body_bytes: usize,
    /// Milliseconds for a hook of an extension.
    hook_timeout_ms: u64,
    /// Milliseconds for a stage of a pipeline, over all nodes.
    stage_timeout_ms: u64,
    /// Milliseconds for a request to the URL of an extension.
    url_timeout_ms: u64,
    /// Milliseconds for `initialize` of an extension, and for each method before it: `validate`, `urls` and so on.
    initialize_timeout_ms: u64,
    /// Milliseconds for `start` of an extension, which returns at once.
    start_timeout_ms: u64,
    /// Milliseconds for `close` of an extension.
    close_timeout_ms: u64,
}

/// One section an orchestrator.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Orchestrators {
    pub(crate) local: LocalSettings,
}

/// Why the settings could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file is not there, or not readable.
    #[error("the settings file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or a type that it must not have.
    #[error("the settings file {} is wrong: {detail}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The place and the mistake, with the line.
        detail: String,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from(".rivetgun"),
            database_url: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            migrate: true,
            domain: "internal".to_owned(),
            limits: Limits::default(),
            agents: AgentSettings::default(),
            events: EventSettings::default(),
            monitoring: MonitoringSettings::default(),
            orchestrators: Orchestrators::default(),
            extensions: ExtensionSettings::default(),
            file: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            hook_timeout_ms: 5_000,
            stage_timeout_ms: 60_000,
            url_timeout_ms: 30_000,
            initialize_timeout_ms: 30_000,
            start_timeout_ms: 5_000,
            close_timeout_ms: 5_000,
        }
    }
}

impl Limits {
    pub(crate) fn hook_timeout(&self) -> Duration {
        Duration::from_millis(self.hook_timeout_ms)
    }

    pub(crate) fn stage_timeout(&self) -> Duration {
        Duration::from_millis(self.stage_timeout_ms)
    }

    pub(crate) fn url_timeout(&self) -> Duration {
        Duration::from_millis(self.url_timeout_ms)
    }

    pub(crate) fn initialize_timeout(&self) -> Duration {
        Duration::from_millis(self.initialize_timeout_ms)
    }

    pub(crate) fn start_timeout(&self) -> Duration {
        Duration::from_millis(self.start_timeout_ms)
    }

    pub(crate) fn close_timeout(&self) -> Duration {
        Duration::from_millis(self.close_timeout_ms)
    }
}

impl Settings {
    /// Reads a settings file; what it does not say keeps its default.
    ///
    /// # Errors
    /// With the file, and the line and key at fault.
    pub(crate) fn from_file(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
        let mut settings = Self::from_toml(&text)
            .map_err(|error| SettingsError::Wrong { path: path.to_owned(), detail: error.to_string() })?;
        settings.file = Some(path.display().to_string());
        Ok(settings)
    }

    /// Reads settings from the text of a file.
    ///
    /// # Errors
    /// With the line and key at fault.
    pub(crate) fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The URL of the database, where none is set that of a file in the state directory.
    #[must_use]
    pub(crate) fn database_url(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| format!("sqlite://{}?mode=rwc", self.database_file().display()))
    }

    /// The SQLite file, where no URL is set.
    pub(crate) fn database_file(&self) -> PathBuf {
        self.state_dir.join("rivetgun.sqlite")
    }
}
