//! What an orchestrator says about a task.

/// What an orchestrator says about a task: of some of its nodes, of all that are left, or both.
///
/// A report may come twice, late, or out of order, and may leave out what it does not know: it moves a node only out of
/// the status that the task brought it to, progress never goes back, and what is over stays over.
///
/// ```
/// # use rivetgun::prelude::*;
/// let report = Report::new().node(7, Said::Progress(40)).node(8, Said::Failed("no disk".to_owned()));
/// assert_eq!(report.nodes.len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What is said about nodes, by id. Nodes that are not in the task are ignored.
    pub nodes: Vec<NodeReport>,
    /// How far the task as a whole is, in per cent, where the orchestrator knows better than the mean of its nodes.
    pub progress: Option<u8>,
    /// What is said about all nodes that have not ended yet: [`Said::Done`] or [`Said::Failed`] ends the task.
    pub rest: Option<Said>,
}

/// What is said about one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// The id of the node.
    pub node: i64,
    /// How far the work on it is.
    pub said: Option<Said>,
    /// Whether it can be reached, where that was found out.
    pub online: Option<bool>,
}

/// How far the work on a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// So many per cent are done; 100 is not the end yet.
    Progress(u8),
    /// The work ended well.
    Done,
    /// The node was wiped and boots its agent again: what a stop of the work on it can come to.
    Erased,
    /// The work ended badly, for this reason.
    Failed(String),
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is applied, and committed.
    Applied,
    /// The task is over, or all of it was known: nothing changed.
    Outdated,
    /// There is no such task, or it is not one of this extension's orchestrators.
    Unknown,
}

impl Report {
    /// A report that says nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All nodes that have not ended yet are done.
    #[must_use]
    pub fn done() -> Self {
        Self { rest: Some(Said::Done), ..Self::default() }
    }

    /// All nodes that have not ended yet have failed.
    #[must_use]
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { rest: Some(Said::Failed(reason.into())), ..Self::default() }
    }

    /// And this about a node.
    #[must_use]
    pub fn node(mut self, node: i64, said: Said) -> Self {
        self.nodes.push(NodeReport { node, said: Some(said), online: None });
        self
    }

    /// And that a node can, or cannot, be reached.
    #[must_use]
    pub fn online(mut self, node: i64, online: bool) -> Self {
        self.nodes.push(NodeReport { node, said: None, online: Some(online) });
        self
    }
}
