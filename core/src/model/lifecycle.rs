//! Where nodes, clusters and tasks may go from where they are: the state machine of the work, as data.
//!
//! A report of an orchestrator may come twice, late, or out of order, so that everything here is a function of what is known
//! and what is heard, and gives nothing back where nothing changes. ARCHITECTURE.md shows the tables.

use super::{
    ClusterStatus, ErrorType, Node, NodeStatus,
    NodeStatus::{Deploying, Discover, Error, Provisioned, Provisioning, Ready, Removing, Stopped},
    Task, TaskKind, TaskStatus, Work,
};
use std::collections::BTreeSet;

/// What happens to a node in a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The work on it begins.
    Begins,
    /// It ended well.
    Done,
    /// The node was wiped.
    Erased,
    /// It ended badly.
    Failed,
}

/// Where a node goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    At(NodeStatus),
    /// Where it is.
    Stays,
    /// Out of the model.
    Gone,
}

/// One line of the table: in this work, when this happens, from any of these, a node goes there.
pub(crate) type Step = (Work, Happening, &'static [NodeStatus], Place);

/// All that can happen to the status of a node. Whatever is not here is refused.
pub(crate) const STEPS: &[Step] = {
    use Happening::{Begins, Done, Erased, Failed};
    use Place::{At, Gone, Stays};
    const SETTLED: &[NodeStatus] = &[Provisioned, Ready, Error, Stopped];
    const IN_WORK: &[NodeStatus] = &[Provisioning, Deploying];
    &[
        (Work::Provision, Begins, &[Discover, Provisioned, Ready, Error, Stopped], At(Provisioning)),
        (Work::Provision, Done, &[Provisioning], At(Provisioned)),
        (Work::Provision, Failed, &[Provisioning], At(Error)),
        (Work::Deployment, Begins, SETTLED, At(Deploying)),
        (Work::Deployment, Done, &[Deploying], At(Ready)),
        (Work::Deployment, Failed, &[Deploying], At(Error)),
        (Work::Stop, Begins, IN_WORK, Stays),
        (Work::Stop, Done, &[Provisioning], At(Discover)),
        (Work::Stop, Done, &[Deploying], At(Stopped)),
        (Work::Stop, Erased, IN_WORK, At(Discover)),
        (Work::Stop, Failed, IN_WORK, At(Error)),
        (Work::Reset, Begins, SETTLED, Stays),
        (Work::Reset, Done, SETTLED, At(Discover)),
        (Work::Reset, Erased, SETTLED, At(Discover)),
        (Work::Reset, Failed, SETTLED, At(Error)),
        (Work::Removal, Begins, SETTLED, At(Removing)),
        (Work::Removal, Done, &[Removing], Gone),
        (Work::Removal, Erased, &[Removing], Gone),
        (Work::Removal, Failed, &[Removing], At(Error)),
    ]
};

/// Where a node goes when this happens to it, or nothing where it cannot.
pub(crate) fn step(work: Work, happening: Happening, from: NodeStatus) -> Option<Place> {
    let is_it = |step: &&Step| step.0 == work && step.1 == happening && step.2.contains(&from);
    STEPS.iter().find(is_it).map(|step| step.3)
}

impl NodeStatus {
    /// Whether a node may go from here to there, in whatever work.
    pub(crate) fn may_become(self, to: Self) -> bool {
        self == to || STEPS.iter().any(|(_, _, from, place)| from.contains(&self) && *place == Place::At(to))
    }
}

/// Where a cluster may go.
pub(crate) const CLUSTERS: &[(ClusterStatus, &[ClusterStatus])] = {
    use ClusterStatus::{Deployment, Error, New, Operational, PartiallyDeployed, Remove, Stopped};
    &[
        (New, &[Deployment, Remove]),
        (Deployment, &[New, PartiallyDeployed, Operational, Stopped, Error, Remove]),
        (PartiallyDeployed, &[Deployment, Remove]),
        (Operational, &[Deployment, Remove]),
        (Stopped, &[Deployment, Remove]),
        (Error, &[Deployment, Remove]),
        (Remove, &[Error]),
    ]
};

impl ClusterStatus {
    pub(crate) fn may_become(self, to: Self) -> bool {
        self == to || CLUSTERS.iter().any(|(from, reached)| *from == self && reached.contains(&to))
    }

    /// What work makes of a cluster that ended well (or, where there is none, did not come about), with its nodes as they
    /// are then.
    pub(crate) fn after(work: Option<Work>, nodes: impl Iterator<Item = NodeStatus>) -> Self {
        let nodes: BTreeSet<NodeStatus> = nodes.collect();
        let only = |status: NodeStatus| nodes.iter().all(|node| *node == status);
        match work {
            Some(Work::Stop) => Self::Stopped,
            _ if only(Discover) => Self::New,
            _ if only(Ready) => Self::Operational,
            Some(Work::Provision | Work::Deployment) => Self::PartiallyDeployed,
            _ if nodes.contains(&Error) => Self::Error,
            _ if nodes.contains(&Stopped) => Self::Stopped,
            _ => Self::PartiallyDeployed,
        }
    }
}

/// Where a task may go.
pub(crate) const TASKS: &[(TaskStatus, &[TaskStatus])] = {
    use TaskStatus::{Error, Pending, Ready, Running};
    &[(Pending, &[Running, Ready, Error]), (Running, &[Ready, Error]), (Ready, &[]), (Error, &[])]
};

impl TaskStatus {
    pub(crate) fn may_become(self, to: Self) -> bool {
        self == to || TASKS.iter().any(|(from, reached)| *from == self && reached.contains(&to))
    }
}

/// A status that may not be reached from where something is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is {from} cannot become {to}")]
pub(crate) struct Illegal {
    from: &'static str,
    to: &'static str,
}

macro_rules! checked {
    ($($status:ident),+) => {
        $(impl $status {
            /// # Errors
            /// When it may not go from here to there.
            pub(crate) fn check(self, to: Self) -> Result<(), Illegal> {
                if self.may_become(to) { Ok(()) } else { Err(Illegal { from: self.as_str(), to: to.as_str() }) }
            }
        })+
    };
}

checked!(NodeStatus, ClusterStatus, TaskStatus);

/// The part of one node in a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskNode {
    pub(crate) node: i64,
    /// Where the node stands as far as this task is concerned.
    pub(crate) status: NodeStatus,
    /// How far the work on it is; 100 is the end of it.
    pub(crate) progress: i32,
    pub(crate) message: Option<String>,
    /// The roles that were sent for it, where any are.
    pub(crate) roles: Vec<String>,
}

/// What is heard of the part of a node in a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Progress(u8),
    Ended(Happening, Option<String>),
}

impl TaskNode {
    /// The part of a node before the work begins.
    pub(crate) fn of(node: &Node) -> Self {
        Self { node: node.id, status: node.status, progress: 0, message: None, roles: Vec::new() }
    }

    /// The part of the same node in other work that begins.
    pub(crate) fn anew(self) -> Self {
        Self { progress: 0, message: None, ..self }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.progress < 100
    }

    /// The part after this was heard, and where that brings its node; nothing, where it is over or this is not news.
    pub(crate) fn hear(&self, work: Work, news: &News) -> Option<(Self, Place)> {
        if !self.is_open() {
            return None;
        }
        match news {
            News::Progress(percent) => {
                // Only the end of the work brings a part to 100.
                let progress = i32::from(*percent).min(99);
                (progress > self.progress).then(|| (Self { progress, ..self.clone() }, Place::Stays))
            }
            News::Ended(happening, message) => {
                let place = step(work, *happening, self.status)?;
                let status = if let Place::At(status) = place { status } else { self.status };
                Some((Self { status, progress: 100, message: message.clone(), ..self.clone() }, place))
            }
        }
    }
}

/// The error that a node is in when this work on it failed.
pub(crate) fn error_of(work: Work) -> ErrorType {
    match work {
        Work::Provision => ErrorType::Provision,
        Work::Deployment => ErrorType::Deploy,
        Work::Stop => ErrorType::StopDeployment,
        Work::Reset | Work::Removal => ErrorType::Deletion,
    }
}

/// Where a task of several parts stands: its status, its progress, what there is to say.
///
/// It is done when all of its parts are, and fails when one of them did and none runs any more. Its progress is the mean of theirs, weighted by
/// what usually takes long, and never goes back.
pub(crate) fn aggregate(whole: &Task, parts: &[Task]) -> (TaskStatus, i32, String) {
    let failed: Vec<&Task> = parts.iter().filter(|part| part.status == TaskStatus::Error).collect();
    if !failed.is_empty() && !parts.iter().any(|part| part.status == TaskStatus::Running) {
        let mut messages: Vec<&str> = Vec::new();
        for part in failed.iter().filter(|part| part.message != ABORTED) {
            if !messages.contains(&part.message.as_str()) {
                messages.push(&part.message);
            }
        }
        return (TaskStatus::Error, 100, messages.join("\n"));
    }
    if parts.iter().all(|part| part.status == TaskStatus::Ready) {
        let messages: Vec<&str> = parts.iter().map(|part| part.message.as_str()).collect();
        return (TaskStatus::Ready, 100, messages.join("\n"));
    }
    let begun = parts.iter().any(|part| part.status != TaskStatus::Pending);
    let status = if begun { TaskStatus::Running } else { whole.status };
    let (sum, weights) = parts.iter().fold((0, 0), |(sum, weights), part| {
        let weight = weight(part.name);
        (sum + part.progress * weight, weights + weight)
    });
    let mean = (sum + weights / 2) / weights.max(1);
    (status, mean.clamp(whole.progress, 99), whole.message.clone())
}

/// What a part says that was not begun because another one failed.
pub(crate) const ABORTED: &str = "aborted, since another part of the task failed";

/// The weight of a part in the progress of the whole, in tenths.
fn weight(kind: TaskKind) -> i32 {
    match kind {
        TaskKind::NodeDeletion | TaskKind::Provision => 4,
        _ => 10,
    }
}

#[cfg(test)]
mod tests;
