//! People decide on dead letters. Whoever has the subscription in hand finds out within a few seconds.

use crate::{
    error::Outcome,
    principal,
    server::Server,
    store::{self, DeadLetters},
};

/// Lets dead letters be tried again; how many there were.
pub(crate) async fn replay(server: &Server, which: &DeadLetters) -> Outcome<u64> {
    let tx = server.store.write().await?;
    let replayed = store::dead_letters::replay(&tx, which, server.clock.now()).await?;
    tx.commit().await?;
    tracing::info!(replayed, ?which, by = &*principal::current(), "dead letters are tried again");
    Ok(replayed)
}

/// Drops dead letters; how many there were.
pub(crate) async fn drop_dead_letters(server: &Server, which: &DeadLetters) -> Outcome<u64> {
    let tx = server.store.write().await?;
    let dropped = store::dead_letters::drop_them(&tx, which).await?;
    tx.commit().await?;
    tracing::info!(dropped, ?which, by = &*principal::current(), "dead letters are dropped");
    Ok(dropped)
}
