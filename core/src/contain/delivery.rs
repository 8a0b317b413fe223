//! Hands an event to an extension.

use super::{Call, Fault, contain};
use crate::{extension::EventContext, model::Event, principal, registry::Loaded};
use std::time::Duration;

pub(crate) async fn deliver(loaded: &Loaded, limit: Duration, cx: &EventContext, event: &Event) -> Result<(), Fault> {
    let call = Call { extension: loaded.metadata.name, method: "handle_event", limit };
    principal::acting(
        principal::extension(loaded.metadata.name),
        contain(call, || loaded.extension().handle_event(cx, event)),
    )
    .await
}
