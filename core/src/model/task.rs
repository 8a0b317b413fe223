//! Tasks: work that was asked for, and notifications of what nobody asked for.

use super::{Work, words::words};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

words! {
    /// Where a task stands.
    pub(crate) enum TaskStatus {
        /// Nothing was sent to the orchestrator yet.
        Pending = "pending",
        /// The orchestrator works.
        Running = "running",
        /// It ended well.
        Ready = "ready",
        /// It ended badly; `message` tells why.
        Error = "error",
    }
}

impl TaskStatus {
    /// Whether it has ended.
    #[must_use]
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Error)
    }
}

words! {
    /// What a task does; the API calls it its name.
    pub(crate) enum TaskKind {
        /// Gives nodes an operating system.
        Provision = "provision",
        /// Gives nodes their roles.
        Deployment = "deployment",
        /// Removes, provisions and deploys what is pending, each in a task of its own.
        Deploy = "deploy",
        /// Holds together tasks of several clusters.
        Super = "super",
        /// Stops the task that works on a cluster.
        StopDeployment = "stop_deployment",
        /// Takes everything from the nodes of a cluster.
        ResetEnvironment = "reset_environment",
        /// Removes nodes.
        NodeDeletion = "node_deletion",
        /// Removes a cluster with its nodes.
        ClusterDeletion = "cluster_deletion",
    }
}

impl TaskKind {
    /// What a task of this kind does to nodes; `None` where it only has parts.
    pub(crate) const fn work(self) -> Option<Work> {
        match self {
            Self::Provision => Some(Work::Provision),
            Self::Deployment => Some(Work::Deployment),
            Self::Deploy | Self::Super => None,
            Self::StopDeployment => Some(Work::Stop),
            Self::ResetEnvironment => Some(Work::Reset),
            Self::NodeDeletion | Self::ClusterDeletion => Some(Work::Removal),
        }
    }
}

/// A task as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Task {
    /// Its id.
    pub(crate) id: i64,
    /// Its id in messages to and from the orchestrator.
    pub(crate) uuid: Uuid,
    /// The id of its cluster, while that exists.
    pub(crate) cluster: Option<i64>,
    /// What it does.
    pub(crate) name: TaskKind,
    /// Where it stands.
    pub(crate) status: TaskStatus,
    /// How far it is, in per cent; it never goes back.
    pub(crate) progress: i32,
    /// What there is to say, for people.
    pub(crate) message: String,
    /// What came of it, by node id: `{"7": {"status": "ready"}}`.
    pub(crate) result: Value,
    /// The id of the task that it is a part of.
    pub(crate) parent_id: Option<i64>,
    /// The ids of its parts.
    pub(crate) subtasks: Vec<i64>,
    /// The extension that made it fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) extension: Option<String>,
    /// Whether everything is done but the dispatch.
    pub(crate) dry_run: bool,
    /// The orchestrator that works on it: that of its cluster when it was asked for.
    #[serde(skip)]
    pub(crate) orchestrator: String,
    /// The server that works on it.
    #[serde(skip)]
    pub(crate) server: Uuid,
    /// What the orchestrator calls it, once it has taken it on.
    #[serde(skip)]
    pub(crate) receipt: Option<String>,
    /// When it was asked for.
    pub(crate) time_start: DateTime<Utc>,
    /// When it ended.
    pub(crate) time_end: Option<DateTime<Utc>>,
}

words! {
    /// Where a line of a task's log comes from.
    pub(crate) enum LogStream {
        /// The standard output of the operator's command.
        Stdout = "stdout",
        /// The standard error of the operator's command.
        Stderr = "stderr",
        /// The orchestrator.
        Orchestrator = "orchestrator",
        /// Rivetgun itself.
        Rivetgun = "rivetgun",
    }
}

words! {
    /// What a notification is about.
    pub enum Topic {
        /// A node was discovered, or is back.
        Discover = "discover",
        /// Work ended well.
        Done = "done",
        /// Work ended badly.
        Error = "error",
        /// Something needs a person's eye.
        Warning = "warning",
    }
}

words! {
    /// Whether a person has seen a notification.
    pub(crate) enum NotificationStatus {
        /// Nobody has.
        Unread = "unread",
        /// Somebody has.
        Read = "read",
    }
}

/// What people should know although nobody asked.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Notification {
    /// Its id.
    pub(crate) id: i64,
    /// What it is about.
    pub(crate) topic: Topic,
    /// The text, for people.
    pub(crate) message: String,
    /// Whether a person has seen it.
    pub(crate) status: NotificationStatus,
    /// When it came up.
    pub(crate) time: DateTime<Utc>,
    /// The cluster that it is about.
    pub(crate) cluster: Option<i64>,
    /// The node that it is about.
    pub(crate) node: Option<i64>,
    /// The task that it came of.
    pub(crate) task: Option<i64>,
    /// The extension that it came of.
    pub(crate) extension: Option<String>,
}
