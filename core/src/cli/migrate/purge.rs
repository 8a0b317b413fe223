//! `rivetgun migrate purge`

use super::{
    close, ledger, open,
    status::{left_subscriptions, waiting},
};
use crate::{
    boot::{BootError, Linked},
    cli::{CliError, output::say},
    store::{CORE, Mode, Purged},
};
use std::io::{IsTerminal, Write};

pub(super) async fn purge(linked: &Linked, extension: &str, yes: bool, mode: Mode) -> Result<(), CliError> {
    if extension == CORE {
        return Err(CliError::Told("the core is no extension, and what is its own stays".to_owned()));
    }
    if linked.extension_names().any(|name| name == extension) {
        return Err(CliError::Told(format!(
            "`{extension}` is in this build, and only what is not can be purged; `rivetgun migrate down --extension \
             {extension} --all` takes back its migrations"
        )));
    }
    let _alone = if mode == Mode::Keep { Some(linked.without_server()?) } else { None };
    let store = open(linked, mode).await?;
    let ledger = ledger(&store).await?;
    let mut known = ledger.orphans(linked.extension_names());
    known.extend(waiting(&store, &ledger).await?.into_keys());
    known.extend(left_subscriptions(linked, &store, &ledger).await?.into_keys());
    known.sort();
    known.dedup();
    if !known.iter().any(|name| name == extension) {
        let names = match known.as_slice() {
            [] => "no extension has left anything".to_owned(),
            names => format!("there is something of {}", names.join(", ")),
        };
        return Err(CliError::Told(format!("the database has nothing of `{extension}`; {names}")));
    }
    let owners = ledger.owners(linked.extension_names().chain([extension]));
    let planned = store.purge(extension, &owners, Mode::DryRun).await.map_err(BootError::from)?;
    show(extension, &planned)?;
    if mode == Mode::DryRun {
        for sql in &planned.sql {
            say(format!("{sql};"))?;
        }
        say("-- tried and rolled back: nothing changed")?;
    } else {
        confirm(extension, yes)?;
        store.purge(extension, &owners, mode).await.map_err(BootError::from)?;
        say(format!("purged `{extension}`"))?;
    }
    close(store).await
}

fn show(extension: &str, Purged { objects, buffered, subscriptions, .. }: &Purged) -> Result<(), CliError> {
    say(format!("of `{extension}` there are"))?;
    for own in objects {
        say(format!("  {} {}", own.kind, own.name))?;
    }
    say(format!("  {buffered} rows that wait for it"))?;
    say(format!("  {subscriptions} subscriptions, with what could not be delivered to them"))
}

/// Asks on a terminal; elsewhere nobody can answer.
fn confirm(extension: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Told(format!("this drops all of it for good; say --yes to purge `{extension}`")));
    }
    let mut answer = String::new();
    write!(anstream::stderr(), "Type the name of the extension to drop all of it for good: ")
        .map_err(CliError::Output)?;
    std::io::stdin().read_line(&mut answer).map_err(CliError::Output)?;
    if answer.trim() == extension { Ok(()) } else { Err(CliError::Told("nothing was purged".to_owned())) }
}
