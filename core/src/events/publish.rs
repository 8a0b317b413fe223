//! Callers of the API publish events of their own.

use crate::{
    error::{Mistake, Outcome, Refusal},
    model::{Event, Object, Published, Unpublishable},
    principal,
    server::Server,
};

/// Publishes an event in the name of whoever acts; the event in its place in the log.
pub(crate) async fn publish(
    server: &Server,
    kind: String,
    action: String,
    key: String,
    object: Object,
) -> Outcome<Event> {
    let published = Published::new(kind, action, key, object).map_err(|wrong| {
        let mistake = |Unpublishable { part, why }| Mistake { pointer: format!("/{part}"), detail: why };
        Refusal::mistakes(wrong.into_iter().map(mistake).collect())
    })?;
    if let Some(why) = server.event_rules.forbids(&published.kind) {
        return Err(Refusal::Forbidden(why));
    }
    let tx = server.store.write().await?.at(server.clock.now());
    tx.journal.publish(principal::current(), published);
    let event = tx.commit_and_tell().await?;
    // It was just written, and is nobody's to forget yet.
    event.ok_or_else(|| Refusal::NotFound("the event is not kept any more".to_owned()))
}
