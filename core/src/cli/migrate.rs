//! `rivetgun migrate up|status`

use super::{
    CliError,
    arguments::MigrateAction,
    output::{self, say},
};
use crate::{
    boot::{BootError, Linked},
    settings::Settings,
    store::MigrationState,
};

pub(super) async fn migrate(settings: Settings, action: MigrateAction) -> Result<(), CliError> {
    let linked = Linked::new(settings)?;
    let (store, _state_dir) = linked.open().await?;
    match action {
        MigrateAction::Up => {
            let mut count = 0;
            for migrator in linked.migrators() {
                let migrated = store.migrate(&migrator).await.map_err(BootError::from)?;
                for name in &migrated.applied {
                    say(format!("applied {}: {name}", migrated.owner))?;
                }
                count += migrated.applied.len();
            }
            if count == 0 {
                say("nothing is pending")?;
            }
        }
        MigrateAction::Status => {
            let mut rows = vec![vec!["OWNER".to_owned(), "MIGRATION".to_owned(), "STATE".to_owned()]];
            for migrator in linked.migrators() {
                for (name, state) in store.migration_states(&migrator).await.map_err(BootError::from)? {
                    let state = match state {
                        MigrationState::Applied => "applied",
                        MigrationState::Pending => "pending",
                    };
                    rows.push(vec![migrator.owner.clone(), name, state.to_owned()]);
                }
            }
            say(output::table(&rows))?;
        }
    }
    store.close().await.map_err(|error| CliError::Refused(error.into()))
}
