//! Its migrations: applied at the start, taken back whole, applied again.

use super::{Subject, check};
use crate::store::{MigrationError, Migrator, Mode, Owner, Store, Work, tables};

check!(MIGRATIONS = "its migrations go down, and up again", travelled);

async fn travelled(subject: &Subject) {
    let Some(loaded) = subject.server.server.registry.find(subject.metadata.name) else {
        return subject.find("it is not in the server");
    };
    let migrator = loaded.migrator();
    if migrator.migrations.is_empty() {
        return;
    }
    if let Err(error) = travel(subject, &subject.server.server.store, &migrator).await {
        subject.find(crate::error::chain(&error));
    }
}

async fn travel(subject: &Subject, store: &Store, migrator: &Migrator) -> Result<(), MigrationError> {
    let names = subject.server.server.registry.iter().map(|loaded| loaded.metadata.name);
    let owners = store.ledger().await?.owners(names);
    let run = async |work| store.migrate(migrator, &owners, work, Mode::Keep).await;
    let made = tables(store.reader()).await?;
    for time in ["once", "twice"] {
        run(Work::Down(migrator.migrations.len())).await?;
        let left = tables(store.reader()).await?;
        let is_own = |table: &String| owners.of(table) == Owner::Extension(&migrator.owner);
        let left = left.into_iter().filter(|table| is_own(table) && *table != migrator.history_table);
        let left = left.collect::<Vec<_>>().join(", ");
        if !left.is_empty() {
            subject.find(format!("taken back {time}, they leave {left}"));
        }
        run(Work::Up).await?;
        if tables(store.reader()).await? != made {
            subject.find(format!("applied again after they were taken back {time}, they make other tables"));
        }
    }
    let again = run(Work::Up).await?;
    if !again.is_empty() {
        subject.find(format!("{} ran again though they were applied", again.join(", ")));
    }
    Ok(())
}
