//! Configured → linked → migrated → assembled → serving. Each step is a type, so that none can be left out.

mod state_dir;

pub(crate) use state_dir::StateDir;

use crate::{
    codes::catalogue,
    deploy::{self, Local, Orchestrator},
    http::{self, Api, Document, UrlTable},
    registry::{BootProblem, BootProblems, Registry, Sections},
    server::{Clock, Server},
    settings::Settings,
    store::{Migrated as MigratedOwner, MigrationError, MigrationState, Migrator, Owners, Store},
};
use rivetgun_migrations::{Core, HISTORY_TABLE};
use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

catalogue! {
    RG0201 = "the state directory cannot be used";
    RG0202 = "the database cannot be opened";
    RG0203 = "migrations failed";
    RG0204 = "the address cannot be listened on";
    RG0205 = "another server uses the state directory";
    RG0206 = "migrations are pending";
}

/// How long work in the background may take to end when the server stops.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    #[error(transparent)]
    Problems(#[from] BootProblems),
    #[error("{}: the state directory {} cannot be used; choose another with --state-dir", RG0201.code, path.display())]
    StateDir { path: PathBuf, source: io::Error },
    #[error("{}: the database {url} cannot be opened; check --database-url, and that the server or the folder is there: {detail}", RG0202.code)]
    Database { url: String, detail: String },
    #[error("{}: the database cannot be migrated", RG0203.code)]
    Migration(#[from] MigrationError),
    #[error("{}: cannot listen on {address}; choose another address with --listen (port 0 picks one)", RG0204.code)]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{}: the state directory {} is in use by another server; stop it, or choose another with --state-dir", RG0205.code, path.display())]
    InUse { path: PathBuf },
    #[error("{}: {owner} has migrations that are not applied: {names}; run `rivetgun migrate up`", RG0206.code)]
    Pending { owner: String, names: String },
    #[error("the server failed")]
    Serve(#[source] io::Error),
    #[error("tasks of an earlier run could not be settled: {0}")]
    Recover(String),
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
    state_dir: StateDir,
    /// What was applied just now, by owner.
    pub(crate) applied: Vec<MigratedOwner>,
}

/// The server can answer.
pub(crate) struct Assembled {
    pub(crate) server: Arc<Server>,
    pub(crate) api: Api,
}

impl Linked {
    /// Collects the extensions of this binary and checks everything that can be checked without a database.
    pub(crate) fn new(settings: Settings) -> Result<Self, BootError> {
        let found = Registry::linked(&sections(&settings));
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
        let url = self.settings.database_url();
        let store = Store::open(&url).await.map_err(|error| {
            // Some errors repeat the URL as it was given.
            let detail = crate::error::chain(&error).replace(&url, &without_password(&url));
            BootError::Database { url: without_password(&url), detail }
        })?;
        Ok((store, state_dir))
    }

    /// Opens the database and applies what is pending, or, where the settings say so, only checks that nothing is.
    pub(crate) async fn migrated(self) -> Result<Migrated, BootError> {
        let (store, state_dir) = self.open().await?;
        let mut applied = Vec::new();
        for migrator in self.migrators() {
            if self.settings.migrate {
                applied.push(store.migrate(&migrator).await?);
            } else {
                refuse_pending(&store, &migrator).await?;
            }
        }
        applied.retain(|owner| !owner.applied.is_empty());
        Ok(Migrated { linked: self, store, state_dir, applied })
    }

    /// The owners of migrations: the core, then the extensions in the total order.
    pub(crate) fn migrators(&self) -> Vec<Migrator> {
        let core = Migrator {
            owner: "core".to_owned(),
            history_table: HISTORY_TABLE.to_owned(),
            migrations: Core::migrations().into_iter().map(Arc::from).collect(),
        };
        let extensions = self.registry.iter().filter(|loaded| !loaded.migrations.is_empty());
        std::iter::once(core).chain(extensions.map(|loaded| loaded.migrator())).collect()
    }
}

fn sections(settings: &Settings) -> Sections<'_> {
    Sections {
        file: settings.file.as_deref(),
        sections: &settings.extensions,
        hook_timeout: settings.limits.hook_timeout(),
    }
}

async fn refuse_pending(store: &Store, migrator: &Migrator) -> Result<(), BootError> {
    let states = store.migration_states(migrator).await?;
    let pending = states.into_iter().filter(|(_, state)| *state == MigrationState::Pending);
    let names = pending.map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    if names.is_empty() { Ok(()) } else { Err(BootError::Pending { owner: migrator.owner.clone(), names }) }
}

impl Migrated {
    /// Puts the server together.
    pub(crate) fn assembled(self, clock: Clock) -> Assembled {
        let Self { linked: Linked { settings, registry, urls }, store, state_dir, .. } = self;
        let local: Arc<dyn Orchestrator> =
            Arc::new(Local::new(settings.orchestrators.local.clone(), &settings.state_dir));
        let owners = Owners::new(registry.iter().map(|loaded| loaded.metadata.name.to_owned()));
        let server = Arc::new(Server {
            peers: registry.peers(&Arc::new(owners)),
            id: state_dir.id(),
            domain: settings.domain.as_str().into(),
            settings,
            store,
            registry,
            orchestrators: BTreeMap::from([("local".to_owned(), local)]),
            clock,
            work: TaskTracker::new(),
            stopping: CancellationToken::new(),
        });
        let api = Api::new(&server, urls);
        Assembled { server, api }
    }
}

impl Assembled {
    /// Settles what an earlier run left behind, and serves until `stop` says so. Then requests may end, and work in the
    /// background is told to; neither is waited for longer than a while, nor when `stop` says so again.
    pub(crate) async fn serve(self, listener: TcpListener, mut stop: mpsc::Receiver<()>) -> Result<(), BootError> {
        let Self { server, api } = self;
        deploy::recover(&server).await.map_err(|refusal| BootError::Recover(crate::error::chain(&refusal)))?;
        let serve = api.serve(listener, server.stopping.clone().cancelled_owned());
        let give_up = async {
            stop.recv().await;
            server.stopping.cancel();
            tokio::select! {
                () = tokio::time::sleep(STOP_WAIT) => tracing::warn!("requests did not end in time and are cut off"),
                _ = stop.recv() => {}
            }
        };
        let served = tokio::select! {
            served = serve => served,
            () = give_up => Ok(()),
        };
        stop_work(&server).await;
        served.map_err(BootError::Serve)
    }
}

/// Tells work in the background to end, waits for it, and closes the database.
pub(crate) async fn stop_work(server: &Arc<Server>) {
    server.stopping.cancel();
    server.work.close();
    if tokio::time::timeout(STOP_WAIT, server.work.wait()).await.is_err() {
        tracing::warn!("work in the background did not end in time; the next start settles its tasks");
    }
    if let Err(error) = server.store.clone().close().await {
        tracing::warn!(%error, "closing the database");
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
