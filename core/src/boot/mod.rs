//! [`Linked`] → [`Migrated`] → [`Assembled`] → `Open`, or [`Started`] and then `Open`. Each step is a type, so that none can be
//! left out.

mod serving;
mod state_dir;

pub(crate) use serving::stop_work;
pub(crate) use state_dir::{InUse, StateDir};

#[cfg(test)]
use crate::extension::Registration;
use crate::{
    codes::{ErrorCode, catalogue},
    deploy::{self, Local},
    events::{EventRules, Streams},
    http::{self, Api, Document, UrlTable},
    monitoring::{Metrics, Monitor},
    registry::{BootProblem, BootProblems, Choice, Registry, Sections},
    server::{Clock, Server},
    settings::Settings,
    store::{self, CORE, MigrationError, Migrator, Mode, Owners, Store, Work},
};
use rivetgun_migrations::{Core, HISTORY_TABLE};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

catalogue! {
    RG0201 = "the state directory cannot be used";
    RG0202 = "the database cannot be opened";
    RG0203 = "migrations failed";
    RG0204 = "the address cannot be listened on";
    RG0205 = "another server uses the state directory";
    RG0206 = "migrations are pending";
    RG0207 = "a migration reaches what is not its own";
    RG0208 = "an applied migration changed";
    RG0209 = "a required extension could not be started";
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    #[error(transparent)]
    Problems(#[from] BootProblems),
    #[error("{}: the state directory {} cannot be used; choose another with --state-dir", RG0201.code, path.display())]
    StateDir { path: PathBuf, source: io::Error },
    #[error("{}: the database {url} cannot be opened; check --database-url, and that the server or the folder is there: {detail}", RG0202.code)]
    Database { url: String, detail: String },
    #[error("{}: the database cannot be migrated", migration_code(.0).code)]
    Migration(#[from] MigrationError),
    #[error("{}: cannot listen on {address}; choose another address with --listen (port 0 picks one)", RG0204.code)]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{}: the state directory {} is in use by another server; stop it, or choose another with --state-dir", RG0205.code, path.display())]
    InUse { path: PathBuf },
    #[error("{}: {owner} has migrations that are not applied: {names}; run `rivetgun migrate up`", RG0206.code)]
    Pending { owner: String, names: String },
    #[error("{}: the extension `{extension}`, which the settings list as required, cannot be started: {reason}; mend that, or take it out of `required`", RG0209.code)]
    Required { extension: &'static str, reason: String },
    #[error("the server failed")]
    Serve(#[source] io::Error),
    #[error("the tasks of an earlier run could not be read: {0}")]
    Start(String),
}

fn migration_code(error: &MigrationError) -> &'static ErrorCode {
    match error {
        MigrationError::Fence { .. } => &RG0207,
        MigrationError::Changed { .. } => &RG0208,
        _ => &RG0203,
    }
}

/// Which migrations ran, of whom.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) owner: String,
    pub(crate) names: Vec<String>,
}

/// The settings are read, and the extensions checked against them.
pub(crate) struct Linked {
    settings: Settings,
    registry: Registry,
    urls: UrlTable,
}

/// The database is open, and every migration of this build is applied.
pub(crate) struct Migrated {
    linked: Linked,
    store: Store,
    background_store: Store,
    state_dir: StateDir,
    /// Whose tables are whose: of the extensions of this build, and of those that the database knows from earlier.
    owners: Owners,
    /// What was applied just now, by owner.
    pub(crate) applied: Vec<Ran>,
}

/// The server can answer.
pub(crate) struct Assembled {
    pub(crate) server: Arc<Server>,
    pub(crate) api: Api,
}

/// The server works on tasks.
pub(crate) struct Started {
    pub(crate) server: Arc<Server>,
    pub(crate) api: Api,
}

impl Linked {
    /// Collects the extensions of this binary and checks everything that can be checked without a database.
    pub(crate) fn new(settings: Settings) -> Result<Self, BootError> {
        let found = Registry::linked(&sections(&settings));
        Self::with(settings, found)
    }

    /// The same with just these extensions, which need not be in this binary.
    #[cfg(test)]
    pub(crate) fn only(extensions: Vec<&Registration>, settings: Settings) -> Result<Self, BootError> {
        let found = Registry::of(extensions, &sections(&settings));
        Self::with(settings, found)
    }

    fn with(settings: Settings, (registry, mut problems): (Registry, Vec<BootProblem>)) -> Result<Self, BootError> {
        match UrlTable::of(registry.iter(), &http::core_templates()) {
            Ok(urls) if problems.is_empty() => Ok(Self { settings, registry, urls }),
            urls => {
                problems.extend(urls.err().into_iter().flatten());
                Err(BootProblems(problems).into())
            }
        }
    }

    /// The OpenAPI document of this build.
    pub(crate) fn document(&self) -> Document {
        http::document(&self.registry)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Opens the database without looking at its tables.
    pub(crate) async fn open(&self) -> Result<(Store, StateDir), BootError> {
        let state_dir = StateDir::open(&self.settings.state_dir)?;
        Ok((open(&self.settings.database_url()).await?, state_dir))
    }

    /// Opens the database to look at it. Makes nothing: in place of a SQLite file that is not there, an empty database in
    /// memory is opened.
    pub(crate) async fn open_as_it_is(&self) -> Result<Store, BootError> {
        let url = self.settings.database_url();
        if store::is_missing_file(&url) { open("sqlite::memory:").await } else { open(&url).await }
    }

    /// Makes sure that no server runs on the state directory, as long as what it gives back is kept.
    pub(crate) fn without_server(&self) -> Result<InUse, BootError> {
        StateDir::lock(&self.settings.state_dir)
    }

    /// Opens the database and applies what is pending, or, where the settings say so, only checks that nothing is.
    pub(crate) async fn migrated(self) -> Result<Migrated, BootError> {
        let (store, state_dir) = self.open().await?;
        let applied = if self.settings.migrate {
            self.migrate(&store, &self.migrators(), Mode::Keep).await?
        } else {
            refuse_pending(&store, &self.migrators()).await?;
            Vec::new()
        };
        let owners = store.ledger().await.map_err(MigrationError::from)?.owners(self.extension_names());
        let background_store = store.beside().await.map_err(MigrationError::from)?;
        Ok(Migrated { linked: self, store, background_store, state_dir, owners, applied })
    }

    /// Applies what is pending of these owners, one after the other. On a database where nothing is, this is a few reads.
    pub(crate) async fn migrate(
        &self,
        store: &Store,
        migrators: &[Migrator],
        mode: Mode,
    ) -> Result<Vec<Ran>, BootError> {
        let ledger = store.ledger().await.map_err(MigrationError::from)?;
        store.check_applied(&ledger, migrators).await?;
        let owners = ledger.owners(self.extension_names());
        let mut ran = Vec::new();
        for migrator in migrators {
            if migrator.migrations.iter().all(|migration| ledger.has(&migrator.owner, migration.name())) {
                continue;
            }
            let names = store.migrate(migrator, &owners, Work::Up, mode).await?;
            if !names.is_empty() {
                ran.push(Ran { owner: migrator.owner.clone(), names });
            }
        }
        if mode == Mode::Keep {
            store.keep_lacking_checksums(migrators).await?;
        }
        Ok(ran)
    }

    /// The names of the extensions of this build: those that are active, in the total order, and then the others. What an
    /// inactive one has in the database stays its own.
    pub(crate) fn extension_names(&self) -> impl Iterator<Item = &str> {
        let active = self.registry.iter().map(|loaded| loaded.metadata.name);
        active.chain(self.registry.inactive().iter().map(|metadata| metadata.name))
    }

    /// The owners of migrations: the core, then the extensions in the total order.
    pub(crate) fn migrators(&self) -> Vec<Migrator> {
        let core = Migrator {
            owner: CORE.to_owned(),
            history_table: HISTORY_TABLE.to_owned(),
            migrations: Core::migrations().into_iter().map(Arc::from).collect(),
        };
        std::iter::once(core).chain(self.registry.iter().map(|loaded| loaded.migrator())).collect()
    }
}

fn sections(settings: &Settings) -> Sections<'_> {
    Sections {
        file: settings.file.as_deref(),
        sections: &settings.extensions.sections,
        choice: Choice { active: settings.extensions.active.as_deref(), required: &settings.extensions.required },
        hook_timeout: settings.limits.hook_timeout(),
        declaration_timeout: settings.limits.initialize_timeout(),
    }
}

async fn open(url: &str) -> Result<Store, BootError> {
    Store::open(url).await.map_err(|error| {
        // Some errors repeat the URL as it was given.
        let detail = crate::error::chain(&error).replace(url, &without_password(url));
        BootError::Database { url: without_password(url), detail }
    })
}

async fn refuse_pending(store: &Store, migrators: &[Migrator]) -> Result<(), BootError> {
    let ledger = store.ledger().await.map_err(MigrationError::from)?;
    store.check_applied(&ledger, migrators).await?;
    for migrator in migrators {
        let names = migrator.migrations.iter().map(|migration| migration.name());
        let names = names.filter(|name| !ledger.has(&migrator.owner, name)).collect::<Vec<_>>().join(", ");
        if !names.is_empty() {
            return Err(BootError::Pending { owner: migrator.owner.clone(), names });
        }
    }
    Ok(())
}

impl Migrated {
    /// Puts the server together.
    pub(crate) fn assembled(self, clock: Clock) -> Assembled {
        let Self { linked: Linked { settings, registry, urls }, store, background_store, state_dir, owners, .. } = self;
        let local = Local::new(settings.orchestrators.local.clone(), &settings.state_dir);
        let metrics = Metrics::default();
        let monitor = Monitor::new(&settings.monitoring, &registry, &metrics, settings.limits.initialize_timeout());
        let owners = Arc::new(owners);
        let server = Arc::new(Server {
            peers: registry.peers(&owners),
            event_rules: EventRules::new(owners, registry.event_types()),
            streams: Arc::new(Streams::new(settings.events.streams)),
            id: state_dir.id(),
            domain: settings.domain.as_str().into(),
            settings,
            store,
            background_store,
            orchestrators: deploy::orchestrators(local, &registry),
            registry,
            clock,
            metrics,
            monitor,
            work: TaskTracker::new(),
            started: CancellationToken::new(),
            stopping: CancellationToken::new(),
            changes: watch::Sender::new(()),
            in_hand: Mutex::default(),
        });
        let api = Api::new(&server, urls);
        Assembled { server, api }
    }
}

/// Listens on an address.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, BootError> {
    TcpListener::bind(address).await.map_err(|source| BootError::Listen { address, source })
}

/// A database URL as it may be shown.
fn without_password(url: &str) -> String {
    let (place, parameters) = url.split_once('?').map_or((url, None), |(place, parameters)| (place, Some(parameters)));
    let shown = match place.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit_once('@'))) {
        Some((scheme, Some((credentials, host)))) if credentials.contains(':') => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        _ => place.to_owned(),
    };
    let Some(parameters) = parameters else { return shown };
    let hidden = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}=***"),
        _ => parameter.to_owned(),
    };
    format!("{shown}?{}", parameters.split('&').map(hidden).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests;
