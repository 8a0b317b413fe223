//! `rivetgun serve`

use super::{CliError, output::say};
use crate::{
    boot::{self, Linked, StateDir},
    server::Clock,
    settings::Settings,
};
use tokio::signal::unix::{SignalKind, signal};

pub(super) async fn serve(settings: Settings) -> Result<(), CliError> {
    let address = settings.listen;
    let linked = Linked::new(settings.clone())?;
    let _in_use = StateDir::lock(&settings.state_dir)?;
    // Who cannot listen shall not migrate either.
    let listener = boot::listen(address).await?;
    let migrated = linked.migrated().await?;
    for owner in &migrated.applied {
        tracing::info!(owner = owner.owner, applied = owner.applied.join(", "), "migrated");
    }
    let assembled = migrated.assembled(Clock::system());
    for loaded in assembled.server.registry.iter() {
        let metadata = loaded.metadata;
        tracing::info!(
            extension = metadata.name,
            version = metadata.version,
            krate = metadata.krate,
            place = format!("{}:{}", metadata.file, metadata.line),
            hooks = metadata.hooks().collect::<Vec<_>>().join(" "),
            "extension"
        );
    }
    let address = listener.local_addr().map_err(boot::BootError::Serve)?;
    tracing::info!(%address, database = assembled.server.store.backend(), "listening");
    say(format!("listening on http://{address}"))?;
    assembled.serve(listener, stop_signal()).await?;
    Ok(())
}

/// Ends with the first SIGINT or SIGTERM.
pub(super) async fn stop_signal() {
    let interrupted = async {
        drop(tokio::signal::ctrl_c().await);
    };
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
