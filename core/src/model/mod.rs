//! What Rivetgun keeps: types and their rules. Knows neither HTTP nor the database.

mod change;
mod cluster;
mod mac;
mod merge;
mod node;
mod release;
mod task;
mod words;

pub use change::{Change, FieldChange};
pub use cluster::{Cluster, ClusterStatus, Customisation};
pub use mac::MacAddress;
pub use merge::{Merged, merge};
pub use node::{Discovery, ErrorType, Node, NodeStatus};
pub use release::{Release, ReleaseState};
pub use task::{LogStream, Notification, NotificationStatus, Task, TaskKind, TaskStatus, Topic};

pub(crate) use node::NodeUpdate;
pub(crate) use words::{UnknownWord, words};

/// A JSON object: attributes, metadata and documents are made of it. It keeps the order of its keys.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// Roles and names of extensions, in the order in which they were given and without repetition.
pub(crate) fn without_repetition(words: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    words.into_iter().filter(|word| seen.insert(word.clone())).collect()
}
