//! `rivetgun serve`

use super::{CliError, output::say};
use crate::{
    boot::{self, Linked, StateDir},
    error::Refusal,
    server::Clock,
    settings::Settings,
    store,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

pub(super) async fn serve(settings: Settings) -> Result<(), CliError> {
    let mut signals = signals()?;
    let address = settings.listen;
    let linked = Linked::new(settings.clone())?;
    let _in_use = StateDir::lock(&settings.state_dir)?;
    // Who cannot listen shall not migrate either.
    let listener = boot::listen(address).await?;
    let migrated = linked.migrated().await?;
    for owner in &migrated.applied {
        tracing::info!(owner = owner.owner, applied = owner.names.join(", "), "migrated");
    }
    let assembled = migrated.assembled(Clock::system());
    for loaded in assembled.server.registry.iter() {
        let metadata = loaded.metadata;
        tracing::info!(
            extension = metadata.name,
            version = metadata.version,
            package = metadata.krate,
            place = format!("{}:{}", metadata.file, metadata.line),
            hooks = metadata.hooks().collect::<Vec<_>>().join(" "),
            "extension"
        );
    }
    let missing = store::clusters::enabled_extensions(assembled.server.store.reader()).await;
    for (cluster, names) in missing.map_err(Refusal::from)? {
        for extension in assembled.server.registry.missing(&names) {
            let why = "enabled for a cluster, and not in this build or not active: work on it is refused";
            tracing::warn!(cluster, extension, "{why}");
        }
    }
    let address = listener.local_addr().map_err(boot::BootError::Serve)?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "there is no authentication yet: whoever reaches this address may do everything");
    }
    tracing::info!(%address, database = assembled.server.store.backend(), "listening");
    let open = assembled.open(listener);
    // The log tells where it listens from the beginning; whoever waits for this line finds a server that works.
    if open.started(&mut signals).await? {
        say(format!("listening on http://{address}"))?;
    }
    open.until_stopped(signals).await?;
    Ok(())
}

/// A message for each SIGINT and SIGTERM from here on.
pub(super) fn signals() -> Result<mpsc::Receiver<()>, CliError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Runtime)?;
    let (heard, signals) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if heard.send(()).await.is_err() {
                break;
            }
        }
    });
    Ok(signals)
}
