//! What is posted for an event.

use bytes::Bytes;
use rivetgun::prelude::*;

/// An event on its way to a target.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: Bytes,
}

impl Message {
    /// The event as the API shows it.
    pub(crate) fn of(event: &Event, target: &str) -> Result<Self> {
        Ok(Self { id: id_of(event, target), body: serde_json::to_vec(event)?.into() })
    }
}

/// The same whenever the same event goes to the same target, after a restart as well, and from whichever replica. The
/// sequence number alone would do for one installation; with the time it is no other one's either.
fn id_of(event: &Event, target: &str) -> String {
    let Event { sequence, time, kind, action, key, .. } = event;
    let name = format!("rivetgun:{target}/{sequence}/{}/{kind}.{action}.{key}", time.timestamp_micros());
    format!("rivetgun_{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
}
