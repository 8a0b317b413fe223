//! Orchestrators: what does the work on nodes, and reports on it.
//!
//! ```
//! use rivetgun::prelude::*;
//!
//! /// Writes every task to the log, and says that all is done.
//! #[derive(Default)]
//! struct Optimist;
//!
//! #[async_trait]
//! impl Orchestrator for Optimist {
//!     async fn dispatch(&self, cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Receipt> {
//!         for node in dispatch.nodes.iter() {
//!             cx.log(dispatch.task, Some(node.id), format!("{} {}", dispatch.work, node.name)).await?;
//!         }
//!         cx.report(dispatch.task, Report::done()).await?;
//!         Ok(Receipt::new("optimistic"))
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Optimism;
//!
//! #[extension(name = "optimism", version = "1.0.0", description = "An orchestrator without doubts")]
//! impl Extension for Optimism {
//!     fn orchestrators(&self) -> Orchestrators {
//!         Orchestrators::new().with("optimist", Optimist)
//!     }
//! }
//! # fn main() {}
//! ```

use super::{
    Db, DbTransaction, Described, Desk, Error, Heard, Leash, Model, Provider, Report, Result, Scope,
    context::accessors_with_database,
};
use crate::{
    model::{Cluster, Merged, Node, Object, Point, SentDocument, Work},
    store::Store,
};
use chrono::{DateTime, Utc};
use sea_orm_migration::async_trait::async_trait;
use serde_json::value::RawValue;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};
use uuid::Uuid;

/// Does the work on the nodes of the clusters that name it, and reports on it through [`OrchestratorContext::report`].
///
/// A task is committed, with all that is sent for it, before the orchestrator hears of it; and it is forgotten only when it
/// has ended. Whoever gets messages of an orchestrator can therefore see one twice, after the server was killed at the wrong
/// moment, and never none. The uuid of the task is the same in both: [`Dispatch::task`].
#[async_trait]
pub trait Orchestrator: Send + Sync + 'static {
    /// Takes on work. When it returns the work may have begun or may only be queued, but it is in hands that do not forget
    /// it. It may take long, and try again by itself, while what it needs is away; it is dropped when the task is deleted by
    /// force, and when the server stops: then it is called again after the next start.
    ///
    /// # Errors
    /// Why the work is not taken on, for people; the task fails with it. Nothing may have begun then.
    async fn dispatch(&self, cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Receipt>;

    /// The server was started again, and the task has not ended. Where it was taken on (`receipt`) its reports are waited
    /// for, and where nobody knows it is dispatched again: unless an orchestrator says otherwise here.
    ///
    /// # Errors
    /// Why the work does not go on, for people; the task fails with it.
    async fn resume(&self, cx: &OrchestratorContext, dispatch: &Dispatch, receipt: Option<Receipt>) -> Result<Receipt> {
        match receipt {
            Some(receipt) => Ok(receipt),
            None => self.dispatch(cx, dispatch).await,
        }
    }

    /// Nobody waits for a task any more: it was deleted by force, or the cluster was reset by force. What has not begun must
    /// not begin any more, where that can be helped; reports are ignored from now on.
    ///
    /// # Errors
    /// Why that cannot be helped, for the log.
    async fn abandon(&self, _cx: &OrchestratorContext, _task: Uuid) -> Result<()> {
        Ok(())
    }

    /// Listens for reports while the server runs. When it ends, or fails, it is called again after a while; it is dropped
    /// when the server stops.
    ///
    /// # Errors
    /// Why it cannot listen, for the log.
    async fn listen(&self, _cx: &OrchestratorContext) -> Result<()> {
        std::future::pending().await
    }
}

/// The orchestrators of an extension, by the names that clusters call them.
#[derive(Clone, Default)]
pub struct Orchestrators(Vec<(&'static str, Arc<dyn Orchestrator>)>);

/// What an orchestrator calls what it took on: the id of a message, or of a job. It is kept with the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(String);

/// What an orchestrator is asked to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dispatch {
    /// The uuid of the task: it stands in all messages about it, and in its reports.
    pub task: Uuid,
    /// What is to be done to the nodes.
    pub work: Work,
    /// The cluster of the nodes, as it is now.
    pub cluster: Cluster,
    /// The nodes to work on, as they are now, in the order of their ids.
    pub nodes: Arc<[Node]>,
    /// What is sent to them. For work without data of its own (stop, reset, removal) there is only the common part: the object
    /// `provision` of the cluster's attributes, with what people laid over the common provisioning data, and neither the key
    /// `cluster` nor anything of pipelines.
    pub documents: Documents,
    /// The task that is to be stopped, where the work is [`Work::Stop`].
    pub stops: Option<Uuid>,
}

/// The data of a task, as they are kept: one document that all nodes share, and one for each node.
///
/// They are linear in the nodes as long as they stay split. The receiver merges: objects key by key, at every depth; a list
/// or a scalar of the node replaces the common one. [`Documents::merged`] does so for one node.
#[derive(Debug, Clone)]
pub struct Documents(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    common: Document,
    nodes: BTreeMap<i64, Document>,
    parsed_common: OnceLock<Object>,
}

/// One document, as it is sent and kept.
#[derive(Debug, Clone)]
pub struct Document {
    json: Box<RawValue>,
    sha256: String,
}

impl Orchestrators {
    /// No orchestrators.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These, and one more. The name is what `orchestrator` of a cluster says: lower-case letters, digits and underscores.
    #[must_use]
    pub fn with(mut self, name: &'static str, orchestrator: impl Orchestrator) -> Self {
        self.0.push((name, Arc::new(orchestrator)));
        self
    }

    pub(crate) fn into_vec(self) -> Vec<(&'static str, Arc<dyn Orchestrator>)> {
        self.0
    }
}

impl fmt::Debug for Orchestrators {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Receipt {
    /// A receipt with this text, which is kept and given back.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Documents {
    /// # Errors
    /// When a document is not JSON.
    pub(crate) fn of(sent: Vec<SentDocument>) -> serde_json::Result<Self> {
        let mut common = Document { json: RawValue::from_string("{}".to_owned())?, sha256: String::new() };
        let mut nodes = BTreeMap::new();
        for SentDocument { node, sha256, document } in sent {
            let document = Document { json: RawValue::from_string(document)?, sha256 };
            match node {
                Some(node) => drop(nodes.insert(node, document)),
                None => common = document,
            }
        }
        Ok(Self(Arc::new(Parts { common, nodes, parsed_common: OnceLock::new() })))
    }

    /// What all nodes share.
    #[must_use]
    pub fn common(&self) -> &Document {
        &self.0.common
    }

    /// The document of a node.
    #[must_use]
    pub fn node(&self, id: i64) -> Option<&Document> {
        self.0.nodes.get(&id)
    }

    /// The documents of the nodes, in the order of their ids.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (i64, &Document)> {
        self.0.nodes.iter().map(|(id, document)| (*id, document))
    }

    /// What all nodes share and the document of a node as one, in compact JSON. Nothing is kept of it: all merged documents
    /// of a cluster together grow with the square of its nodes.
    ///
    /// # Errors
    /// When there is no document for the node.
    pub fn merged(&self, id: i64) -> Result<Vec<u8>> {
        let document = self.node(id).ok_or_else(|| Error::failed(format!("there are no data for node {id}")))?;
        let common = match self.0.parsed_common.get() {
            Some(common) => common,
            None => {
                let parsed = serde_json::from_str(self.common().json())?;
                self.0.parsed_common.get_or_init(|| parsed)
            }
        };
        let document: Object = serde_json::from_str(document.json())?;
        Ok(serde_json::to_vec(&Merged::new(common, &document))?)
    }
}

impl Document {
    /// Its text: compact JSON.
    #[must_use]
    pub fn json(&self) -> &str {
        self.json.get()
    }

    /// Its text, to be part of what serde writes.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.json
    }

    /// The SHA-256 of its text, in hexadecimal; empty where it is not kept.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// The context of an orchestrator.
#[derive(Clone)]
pub struct OrchestratorContext {
    scope: Scope,
    store: Store,
    db: Arc<Db>,
    desk: Arc<dyn Desk>,
    leash: Arc<Leash>,
}

impl OrchestratorContext {
    pub(crate) fn new(scope: Scope, store: Store, desk: Arc<dyn Desk>, leash: &Arc<Leash>) -> Self {
        let db = Arc::new(Db::pool(store.reader(), &scope));
        Self { scope, store, db, desk, leash: Arc::clone(leash) }
    }

    accessors_with_database!();

    /// The present, in UTC, to the microsecond.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.desk.now()
    }

    /// The database, to read from, with the tables of the extension.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Begins a transaction, to write. It is rolled back when it is held for too long; see
    /// [`ExtensionContext::transaction`](super::ExtensionContext::transaction).
    ///
    /// # Errors
    /// When the database is busy or out of reach.
    pub async fn transaction(&self) -> Result<DbTransaction> {
        DbTransaction::begin(&self.store, Some(&self.leash), &self.scope(), &self.desk).await
    }

    /// Applies a report. It is committed when this returns, so that what brought it can be acknowledged.
    ///
    /// # Errors
    /// When the database did not let it: nothing is applied then, and the same can be tried again.
    pub async fn report(&self, task: Uuid, report: Report) -> Result<Heard> {
        self.desk.report(self.scope.own().metadata.name, task, report).await
    }

    /// Adds a line to the log of a task of an orchestrator of this extension: about a node, or about the whole.
    ///
    /// # Errors
    /// When there is no such task, or the database did not let it.
    pub async fn log(&self, task: Uuid, node: Option<i64>, line: impl Into<String> + Send) -> Result<()> {
        self.desk.log(self.scope.own().metadata.name, task, vec![(node, line.into())]).await
    }
}

impl fmt::Debug for OrchestratorContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OrchestratorContext").field("scope", &self.scope).finish_non_exhaustive()
    }
}
