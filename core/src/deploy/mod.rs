//! From a cluster to an orchestrator and back: serialize → pipelines → dispatch → reports.
//!
//! [`request`] checks and writes down what is wanted; [`run`] does it. Between the two there is nothing but the task's
//! row, so that a server which is killed finds it again ([`recover`]). Nothing of a node or a cluster changes before
//! every pipeline has succeeded, and nothing is sent before the change is committed.

mod explain;
mod local;
mod orchestrator;
mod pipelines;
mod recover;
mod report;
mod request;
mod run;
mod sent;
mod serialize;

pub(crate) use explain::{Explanation, Trace, explain};
pub(crate) use local::{Local, LocalSettings};
pub(crate) use orchestrator::Orchestrator;
pub(crate) use recover::recover;
pub(crate) use report::fail;
pub(crate) use request::{WorkRequest, request};
pub(crate) use serialize::{NODE_KEYS, Selection, preview};

use crate::model::{ErrorType, NodeStatus, TaskKind, words};

words! {
    /// The two kinds of data that are made for an orchestrator.
    pub(crate) enum DataKind {
        /// What a node needs to do its work.
        Deployment = "deployment",
        /// What is needed to give a node an operating system.
        Provisioning = "provisioning",
    }
}

impl DataKind {
    pub(crate) const ALL: [Self; 2] = [Self::Deployment, Self::Provisioning];
}

/// What a task does to its nodes, by kind: the one place where the statuses of the work are written down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    pub(crate) data: DataKind,
    /// The status of a node while it is worked on.
    pub(crate) during: NodeStatus,
    /// The status of a node when the work went well.
    pub(crate) after: NodeStatus,
    /// The error of a node when it did not.
    pub(crate) error: ErrorType,
    /// What the work is called in messages.
    pub(crate) noun: &'static str,
}

impl Work {
    /// What a task of this kind does to nodes; `None` for a deletion.
    pub(crate) fn of(kind: TaskKind) -> Option<Self> {
        match kind {
            TaskKind::Provision => Some(Self {
                data: DataKind::Provisioning,
                during: NodeStatus::Provisioning,
                after: NodeStatus::Provisioned,
                error: ErrorType::Provision,
                noun: "Provision",
            }),
            TaskKind::Deployment => Some(Self {
                data: DataKind::Deployment,
                during: NodeStatus::Deploying,
                after: NodeStatus::Ready,
                error: ErrorType::Deploy,
                noun: "Deployment",
            }),
            TaskKind::NodeDeletion | TaskKind::ClusterDeletion => None,
        }
    }
}
