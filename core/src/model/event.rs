//! Events: what changed, for whom it may concern.

use super::{Cluster, Node, NodeGroup, Notification, Release, Task};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The types of events that only the core writes, each with what it tells of.
pub(crate) const CORE_TYPES: [(&str, &str); 6] = [
    ("clusters", "A cluster changed, its attributes, or what people put in place of its data."),
    ("nodegroups", "A node group changed."),
    ("nodes", "A node changed in more than its progress or its heartbeat."),
    ("notifications", "People are told something, or have read it."),
    ("releases", "A release changed."),
    ("tasks", "A task began, went on to another status, or is gone."),
];

/// Something that happened: in full, `type.action.key`.
///
/// The log is in the order of the commits, so that who has read up to a sequence number misses nothing before it. What
/// happens to one thing (`type` and `key`) stands in the order in which it happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Event {
    /// Its place in the log.
    pub sequence: i64,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// What it happened to: `nodes`, `clusters`, `nodegroups`, `releases`, `tasks`, `notifications`, or the name of an
    /// extension, maybe followed by `_` and more, or a type of callers.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened: for the core's types `create`, `update`, `delete`; `attributes` and `customise` of a cluster as well.
    pub action: String,
    /// Which one it happened to: for the core's types the id.
    pub key: String,
    /// Who did it: `server`, `cli`, `anonymous`, `extension:<name>`, `orchestrator:<name>`.
    pub principal: String,
    /// The thing as it is now, or, of a deletion, as it was.
    #[schema(value_type = Object)]
    pub(crate) object: Box<RawValue>,
    /// The thing as it was before an update; `null` for all other actions.
    #[schema(value_type = Option<Object>)]
    pub(crate) original: Option<Box<RawValue>>,
}

impl Event {
    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        self.object.get().len() + self.original.as_ref().map_or(0, |original| original.get().len()) + 256
    }

    /// The thing as it is now, or, of a deletion, as it was; as the API shows it.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn object<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.object.get())
    }

    /// The thing as it was before an update; `None` for all other actions.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn original<T: DeserializeOwned>(&self) -> serde_json::Result<Option<T>> {
        self.original.as_ref().map(|original| serde_json::from_str(original.get())).transpose()
    }
}

/// An event before it has its place in the log.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) time: DateTime<Utc>,
    pub(crate) kind: String,
    pub(crate) action: String,
    pub(crate) key: String,
    pub(crate) principal: String,
    pub(crate) object: String,
    pub(crate) original: Option<String>,
}

/// What the event log tells of.
pub(crate) trait Subject: Serialize {
    /// The type of its events.
    const TYPE: &'static str;

    /// What tells it from others of its type.
    fn key(&self) -> String;
}

/// Writes a [`Subject`] for each type that is told apart by its id.
macro_rules! subjects {
    ($($subject:ident = $kind:literal),+ $(,)?) => {
        $(impl Subject for $subject {
            const TYPE: &'static str = $kind;

            fn key(&self) -> String {
                self.id.to_string()
            }
        })+
    };
}

subjects! {
    Cluster = "clusters",
    Node = "nodes",
    NodeGroup = "nodegroups",
    Notification = "notifications",
    Release = "releases",
    Task = "tasks",
}
