//! Databases that are migrated already: one is migrated for the test binary, and each test begins with a copy of it.

use super::postgres;
use crate::{
    boot::{BootError, Linked},
    settings::Settings,
    store::Mode,
};
use std::{path::Path, sync::OnceLock};
use tokio::{fs, sync::OnceCell};

/// Whether a server with these settings may begin with a copy. One that chooses its extensions begins with nothing.
pub(super) fn fits(settings: &Settings) -> bool {
    settings.extensions.active.is_none()
}

/// Makes a SQLite file that is migrated; none where the extensions cannot be loaded without settings.
pub(super) async fn copy_to(file: &Path) {
    static MIGRATED: OnceCell<Option<Vec<u8>>> = OnceCell::const_new();
    let make = async || {
        let dir = tempfile::tempdir().ok()?;
        let settings = Settings { state_dir: dir.path().to_owned(), ..Settings::default() };
        let file = settings.database_file();
        migrate(settings).await.ok()?;
        fs::read(file).await.ok()
    };
    if let Some(migrated) = MIGRATED.get_or_init(make).await {
        fs::write(file, migrated).await.unwrap_or_else(|error| panic!("{} cannot be written: {error}", file.display()));
    }
}

/// The name of a PostgreSQL database that is migrated; none where the extensions cannot be loaded without settings.
pub(super) fn postgres() -> Option<&'static str> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let make = || {
        let url = postgres::new_database(None).ok()?;
        let name = url.split('?').next()?.rsplit('/').next()?.to_owned();
        let dir = tempfile::tempdir().ok()?;
        let settings = Settings { state_dir: dir.path().to_owned(), database_url: Some(url), ..Settings::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().ok()?;
        runtime.block_on(migrate(settings)).ok()?;
        Some(name)
    };
    NAME.get_or_init(make).as_deref()
}

/// Migrates a database for all extensions of the test binary.
async fn migrate(settings: Settings) -> Result<(), BootError> {
    let linked = Linked::new(settings)?;
    let (store, _state_dir) = linked.open().await?;
    linked.migrate(&store, &linked.migrators(), Mode::Keep).await?;
    store.close().await.map_err(|error| BootError::Migration(error.into()))
}
