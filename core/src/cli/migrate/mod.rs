//! `rivetgun migrate up|down|status|purge|accept`

mod purge;
mod status;

use super::{
    CliError,
    arguments::{MigrateAction, Steps},
    output::say,
};
use crate::{
    boot::{BootError, Linked, Ran},
    settings::Settings,
    store::{CORE, Direction, Ledger, Migrator, Mode, Store, Work, record},
};

pub(super) async fn migrate(settings: Settings, action: MigrateAction) -> Result<(), CliError> {
    let linked = Linked::new(settings)?;
    match action {
        MigrateAction::Up { extension, dry_run } => up(&linked, extension.as_deref(), mode(dry_run)).await,
        MigrateAction::Down { extension, steps, dry_run } => down(&linked, &extension, &steps, mode(dry_run)).await,
        MigrateAction::Status { extension, json } => status::status(&linked, extension.as_deref(), json).await,
        MigrateAction::Purge { extension, yes, dry_run } => purge::purge(&linked, &extension, yes, mode(dry_run)).await,
        MigrateAction::Accept { extension } => accept(&linked, &extension).await,
    }
}

fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::DryRun } else { Mode::Keep }
}

async fn up(linked: &Linked, extension: Option<&str>, mode: Mode) -> Result<(), CliError> {
    let store = open(linked, mode).await?;
    let migrators = chosen(linked, &ledger(&store).await?, extension)?;
    let ran = linked.migrate(&store, &migrators, mode).await?;
    if ran.is_empty() {
        say("nothing is pending")?;
    }
    tell(&store, &migrators, &ran, Direction::Up, mode).await?;
    close(store).await
}

async fn down(linked: &Linked, extension: &str, steps: &Steps, mode: Mode) -> Result<(), CliError> {
    if extension == CORE {
        return Err(CliError::Told(
            "the migrations of the core are not taken back: everything else stands on its tables; restore a backup, or \
             begin with a new database"
                .to_owned(),
        ));
    }
    let _alone = if mode == Mode::Keep { Some(linked.without_server()?) } else { None };
    let store = open(linked, mode).await?;
    let ledger = ledger(&store).await?;
    let migrators = chosen(linked, &ledger, Some(extension))?;
    let owners = ledger.owners(linked.extension_names());
    let mut ran = Vec::new();
    for migrator in &migrators {
        let names = store.migrate(migrator, &owners, Work::Down(steps.count()), mode).await.map_err(BootError::from)?;
        if names.is_empty() {
            say(format!("nothing of `{extension}` is applied"))?;
        } else {
            ran.push(Ran { owner: migrator.owner.clone(), names });
        }
    }
    tell(&store, &migrators, &ran, Direction::Down, mode).await?;
    close(store).await
}

async fn accept(linked: &Linked, extension: &str) -> Result<(), CliError> {
    // Where there is no database there is nothing to accept, and none is made.
    let store = linked.open_as_it_is().await?;
    for migrator in chosen(linked, &ledger(&store).await?, Some(extension))? {
        let names = store.accept(&migrator).await.map_err(BootError::from)?;
        for name in &names {
            say(format!("accepted {extension}: {name}"))?;
        }
        if names.is_empty() {
            say(format!("nothing of `{extension}` changed"))?;
        }
    }
    close(store).await
}

/// Opens the database; to look at it, without making anything.
async fn open(linked: &Linked, mode: Mode) -> Result<Store, CliError> {
    Ok(match mode {
        Mode::Keep => linked.open().await?.0,
        Mode::DryRun => linked.open_as_it_is().await?,
    })
}

async fn close(store: Store) -> Result<(), CliError> {
    store.close().await.map_err(|error| CliError::Refused(error.into()))
}

async fn ledger(store: &Store) -> Result<Ledger, CliError> {
    store.ledger().await.map_err(|error| CliError::Refused(error.into()))
}

/// The owners of this build, or the one that was named.
fn chosen(linked: &Linked, ledger: &Ledger, extension: Option<&str>) -> Result<Vec<Migrator>, CliError> {
    let mut migrators = linked.migrators();
    let Some(name) = extension else { return Ok(migrators) };
    if migrators.iter().any(|migrator| migrator.owner == name) {
        migrators.retain(|migrator| migrator.owner == name);
        return Ok(migrators);
    }
    if linked.registry().is_inactive(name) {
        return Err(CliError::Told(format!(
            "`{name}` is not active, and its migrations rest; add it to `active` in the section [extensions] of the settings"
        )));
    }
    if ledger.orphans(linked.extension_names()).iter().any(|orphan| orphan == name) {
        return Err(CliError::Told(format!(
            "`{name}` is not in this build, and so are its migrations; add its crate to [dependencies], or remove what it \
             left with `rivetgun migrate purge --extension {name}`"
        )));
    }
    let known = migrators.iter().map(|migrator| migrator.owner.as_str()).collect::<Vec<_>>().join(", ");
    Err(CliError::Told(format!("there is no extension `{name}` in this build; there are {known}")))
}

/// What ran; of a dry run, the SQL.
async fn tell(
    store: &Store,
    migrators: &[Migrator],
    ran: &[Ran],
    direction: Direction,
    mode: Mode,
) -> Result<(), CliError> {
    for Ran { owner, names } in ran {
        let Some(migrator) = migrators.iter().find(|migrator| migrator.owner == *owner) else { continue };
        for name in names {
            match (mode, direction) {
                (Mode::Keep, Direction::Up) => say(format!("applied {owner}: {name}"))?,
                (Mode::Keep, Direction::Down) => say(format!("took back {owner}: {name}"))?,
                (Mode::DryRun, _) => say(sql_of(store, migrator, name, direction).await)?,
            }
        }
    }
    if mode == Mode::DryRun && !ran.is_empty() {
        say("-- tried and rolled back: nothing changed")?;
    }
    Ok(())
}

async fn sql_of(store: &Store, migrator: &Migrator, name: &str, direction: Direction) -> String {
    let mut lines = vec![format!("-- {}: {name}", migrator.owner)];
    let migration = migrator.migrations.iter().find(|migration| migration.name() == name);
    let recording = match migration {
        Some(migration) => record(&**migration, store.dialect(), direction).await,
        None => None,
    };
    match recording {
        None => lines.push("-- its SQL cannot be shown without a database that answers".to_owned()),
        Some(recording) => {
            if recording.reads {
                lines.push("-- it reads, and may do more where there are rows".to_owned());
            }
            lines.extend(recording.sql().into_iter().map(|sql| format!("{};", sql.trim_end_matches(';'))));
        }
    }
    lines.join("\n")
}
