//! What Rivetgun keeps: types and their rules. Knows neither HTTP nor the database.

mod change;
mod cluster;
mod event;
mod filter;
mod group;
mod lifecycle;
mod mac;
mod merge;
mod node;
mod point;
mod published;
mod release;
mod role;
mod sent;
mod task;
mod words;
mod work;

pub use change::{Change, FieldChange};
pub use cluster::{Cluster, ClusterStatus};
pub use event::Event;
pub use filter::{Filter, InvalidFilter};
pub use group::NodeGroup;
pub use mac::{InvalidMac, MacAddress};
pub use node::{ErrorType, Node, NodeStatus};
pub use point::{Point, PointValue, PointValues};
pub use release::{Release, ReleaseState};
pub use role::Role;
pub use task::Topic;
pub use work::Work;

pub(crate) use cluster::Customisation;
pub(crate) use event::{CORE_TYPES, NewEvent, Subject};
pub(crate) use filter::{Alternative, Part, Word};
pub(crate) use lifecycle::{ABORTED, Happening, Illegal, News, Place, TaskNode, aggregate, error_of, step};
pub(crate) use merge::Merged;
pub use merge::merge;
pub(crate) use node::{Discovery, NodeUpdate};
pub(crate) use published::{Published, Unpublishable, wrong_with_word};
pub(crate) use sent::SentDocument;
pub(crate) use task::{LogStream, Notification, NotificationStatus, Task, TaskKind, TaskStatus};
pub use words::UnknownWord;

pub(crate) use words::words;

/// A JSON object: attributes, metadata and documents are made of it. The order of its keys means nothing: PostgreSQL does
/// not keep it.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// Whether a text anywhere in a value, keys included, holds a NUL character.
pub(crate) fn contains_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(contains_nul),
        Value::Object(object) => object.iter().any(|(key, value)| key.contains('\0') || contains_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Roles and names of extensions, in the order in which they were given and without repetition.
pub(crate) fn without_repetition(words: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    words.into_iter().filter(|word| seen.insert(word.clone())).collect()
}
