//! A server that is assembled is opened, started, serves, and stops.

use super::{Assembled, BootError, Started};
use crate::{
    agents, deploy, events,
    http::Api,
    life::{self, Extent, RequiredFailed},
    monitoring,
    server::Server,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

/// How long requests may take to end when the server stops, and after them the work in the background.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// How long what uses the database may take to end when it is closed.
const CLOSE_WAIT: Duration = Duration::from_secs(3);

/// The server listens. Until it is started it answers that it is not ready.
pub(crate) struct Open {
    pub(crate) server: Arc<Server>,
    serving: JoinHandle<io::Result<()>>,
}

impl Assembled {
    /// Gets the extensions ready for a command that calls them and ends. Their background work is not begun.
    pub(crate) async fn initialized(self) -> Result<Arc<Server>, BootError> {
        let Self { server, .. } = self;
        match life::begin(&server, Extent::Initialized).await {
            Ok(()) => Ok(server),
            Err(failed) => Err(given_up(&server, failed.into()).await),
        }
    }

    /// Starts the extensions, takes up what an earlier run left behind, and whatever becomes due from now on.
    pub(crate) async fn started(self) -> Result<Started, BootError> {
        let Self { server, api } = self;
        match start(&server).await {
            Ok(()) => Ok(Started { server, api }),
            Err(error) => Err(given_up(&server, error).await),
        }
    }

    /// Listens, before anything is started: whoever asks is told how far it is.
    pub(crate) fn open(self, listener: TcpListener) -> Open {
        open(self.server, self.api, listener)
    }
}

impl Started {
    /// Listens.
    pub(crate) fn open(self, listener: TcpListener) -> Open {
        open(self.server, self.api, listener)
    }
}

fn open(server: Arc<Server>, api: Api, listener: TcpListener) -> Open {
    let serving = tokio::spawn(api.serve(listener, server.stopping.clone().cancelled_owned()));
    Open { server, serving }
}

impl Open {
    /// Starts the server; whether it has started before `stop` said that it is to stop.
    pub(crate) async fn started(&self, stop: &mut mpsc::Receiver<()>) -> Result<bool, BootError> {
        tokio::select! {
            started = start(&self.server) => match started {
                Ok(()) => Ok(true),
                Err(error) => Err(given_up(&self.server, error).await),
            },
            _ = stop.recv() => {
                self.server.stopping.cancel();
                Ok(false)
            }
        }
    }

    /// Serves until `stop` says so. Then requests may end, and work in the background is told to; neither is waited for
    /// longer than a while. When `stop` says so again, nothing is waited for any more.
    pub(crate) async fn until_stopped(self, mut stop: mpsc::Receiver<()>) -> Result<(), BootError> {
        let Self { server, mut serving } = self;
        let served = tokio::select! {
            served = &mut serving => Some(served),
            () = told_to_stop(&server, &mut stop) => None,
        };
        tracing::info!("stopping: requests and work in the background may end, for a while");
        server.stopping.cancel();
        let stopped = async {
            let served = match served {
                Some(served) => Some(served),
                None => tokio::time::timeout(STOP_WAIT, &mut serving).await.ok(),
            };
            if served.is_none() {
                tracing::warn!("requests did not end in time and are cut off");
                serving.abort();
            }
            stop_work(&server).await;
            tracing::info!("stopped");
            served
        };
        tokio::select! {
            served = stopped => match served {
                Some(Ok(Err(error))) => Err(BootError::Serve(error)),
                Some(Err(error)) => Err(BootError::Serve(io::Error::other(error))),
                Some(Ok(Ok(()))) | None => Ok(()),
            },
            _ = stop.recv() => {
                tracing::warn!("told to stop again: whatever has not ended yet is cut off");
                Ok(())
            }
        }
    }
}

async fn told_to_stop(server: &Server, stop: &mut mpsc::Receiver<()>) {
    tokio::select! {
        () = server.stopping.cancelled() => {}
        _ = stop.recv() => {}
    }
}

async fn start(server: &Arc<Server>) -> Result<(), BootError> {
    life::begin(server, Extent::Started).await?;
    deploy::start(server).await.map_err(|refusal| BootError::Start(crate::error::chain(&refusal)))?;
    events::start(server).await.map_err(|refusal| BootError::Start(crate::error::chain(&refusal)))?;
    agents::watch(server);
    monitoring::start(server);
    server.started.cancel();
    Ok(())
}

/// Ends what was begun of a server that cannot start.
async fn given_up(server: &Arc<Server>, error: BootError) -> BootError {
    stop_work(server).await;
    error
}

impl From<RequiredFailed> for BootError {
    fn from(RequiredFailed { extension, reason }: RequiredFailed) -> Self {
        Self::Required { extension, reason }
    }
}

/// Tells work in the background to end, waits for it, closes the extensions, and then the database.
pub(crate) async fn stop_work(server: &Arc<Server>) {
    server.stopping.cancel();
    server.work.close();
    if tokio::time::timeout(STOP_WAIT, server.work.wait()).await.is_err() {
        tracing::warn!("work in the background did not end in time; the next start settles its tasks");
    }
    life::close(server).await;
    for store in [&server.background_store, &server.store] {
        // A connection that somebody holds is waited for.
        match tokio::time::timeout(CLOSE_WAIT, store.clone().close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "closing the database"),
            Err(_) => tracing::warn!("somebody still uses the database; it is left open"),
        }
    }
}
