//! Hands an event to an extension. Whoever calls this logs what becomes of it.

use super::{Call, Fault, OwnThread};
use crate::{extension::EventContext, model::Event, registry::Loaded};
use std::{sync::Arc, time::Duration};

pub(crate) async fn deliver(
    thread: &OwnThread,
    loaded: &Arc<Loaded>,
    limit: Duration,
    cx: EventContext,
    event: Box<Event>,
) -> Result<(), Fault> {
    let call = Call { extension: loaded.metadata.name, method: "handle_event", limit };
    let extension = Arc::clone(loaded);
    let handle = || async move { extension.extension().handle_event(&cx, &event).await };
    thread.call(call, handle).await
}
