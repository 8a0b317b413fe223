//! Calls a hook in a savepoint of its own.

use super::{Call, Fault, contain};
use crate::{
    extension::{Db, HookCall, HookContext, Kind, Scope},
    principal,
    registry::Loaded,
    store::{WriteTx, is_statement_timeout},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, TransactionTrait};
use std::{sync::Arc, time::Duration};

/// Why a hook's writes are not in the transaction.
#[derive(Debug)]
pub(crate) enum HookFault {
    /// The extension refused or failed; the transaction is as it was before.
    Extension(Fault),
    /// The transaction itself can no longer be used.
    Database(DbErr),
}

/// Calls one hook of one extension. What it wrote is released into `transaction`, or, after a fault, rolled back.
///
/// The savepoint stands outside of the time limit, and is ended here: a dropped one would be rolled back at some later
/// time, in the middle of what the core does next.
#[expect(clippy::disallowed_methods, reason = "a savepoint inside of a transaction that began in the one right way")]
pub(crate) async fn call_hook(
    loaded: &Loaded,
    scope: Scope,
    transaction: &WriteTx,
    hook: HookCall<'_>,
) -> Result<(), HookFault> {
    let journal = Arc::new(transaction.journal.part(principal::extension(loaded.metadata.name)));
    let savepoint = transaction.begin().await.map_err(HookFault::Database)?;
    let db = Db::savepoint(savepoint, &scope, Arc::clone(&journal));
    let limit = loaded.hook_timeout;
    limit_statements(&db, limit).await.map_err(HookFault::Database)?;
    let call = Call { extension: loaded.metadata.name, method: hook.method(), limit };
    let cx = HookContext { scope, db: &db };
    let outcome = contain(call, || loaded.extension().call(&cx, hook)).await;
    let outcome = outcome.map_err(|fault| if is_cut_off(&fault) { Fault::TimedOut(limit) } else { fault });
    let outcome = match outcome {
        // Released, the setting would outlive the savepoint; rolled back, it goes by itself. A hook that went on after a
        // statement had failed has left PostgreSQL a transaction that takes none: that comes up here, and is its fault.
        Ok(()) => unlimit_statements(&db).await.map_err(|error| Fault::Failed(error.into())),
        Err(fault) => Err(fault),
    };
    match outcome {
        Ok(()) => {
            db.keep().await.map_err(HookFault::Database)?;
            transaction.journal.take_in(&journal);
            Ok(())
        }
        Err(fault) => {
            if let Err(leftover) = db.discard().await {
                // The error of a statement that was cut off by the time limit can surface here, and only here.
                tracing::warn!(extension = call.extension, hook = call.method, %leftover, "rolling back a hook");
                transaction.execute_unprepared("SELECT 1").await.map_err(HookFault::Database)?;
            }
            Err(HookFault::Extension(fault))
        }
    }
}

/// A time limit ends the waiting for a statement, not the statement. PostgreSQL can end that as well, a little earlier,
/// so that the hook meets the error and not whoever uses the connection next.
async fn limit_statements(db: &Db, limit: Duration) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        let milliseconds = (limit.as_millis() * 9 / 10).clamp(1, i32::MAX as u128);
        db.core().execute_unprepared(&format!("SET LOCAL statement_timeout = {milliseconds}")).await?;
    }
    Ok(())
}

/// Whether the database ended a statement of the hook because of [`limit_statements`].
fn is_cut_off(fault: &Fault) -> bool {
    match fault {
        Fault::Failed(error) => match error.kind() {
            Kind::Failed(error) => error.downcast_ref::<DbErr>().is_some_and(is_statement_timeout),
            _ => false,
        },
        _ => false,
    }
}

async fn unlimit_statements(db: &Db) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        db.core().execute_unprepared("SET LOCAL statement_timeout = DEFAULT").await?;
    }
    Ok(())
}
