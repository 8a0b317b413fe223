//! Transactions that extensions begin.

use super::{
    Db, Desk, Error, Leash, Model, Result, Scope, event_types::published, leash::Leashed, on_runtime::on_runtime,
};
use crate::{
    model::{Cluster, Node},
    principal,
    store::{self, Store},
};
use serde::Serialize;
use std::{
    fmt::{self, Display},
    ops::Deref,
    sync::Arc,
};

/// A transaction that an extension began; without [`DbTransaction::commit`] nothing of it stays.
pub struct DbTransaction {
    db: Db,
    scope: Scope,
    desk: Arc<dyn Desk>,
    /// Which clusters changed in what.
    noted: Vec<(i64, &'static str)>,
}

impl DbTransaction {
    /// Begins one. Without a leash it is the caller's for as long as it likes.
    pub(super) async fn begin(
        store: &Store,
        leash: Option<&Arc<Leash>>,
        scope: &Scope,
        desk: &Arc<dyn Desk>,
    ) -> Result<Self> {
        let transaction = match leash {
            Some(leash) => leash.begin(store, scope.own().metadata.name).await?,
            None => Leashed::free(store.write().await?),
        };
        let db = Db::write(transaction, scope);
        Ok(Self { db, scope: scope.clone(), desk: Arc::clone(desk), noted: Vec::new() })
    }

    /// Nodes and clusters, as this transaction sees them.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        Model::new(self.db.core(), &self.scope.domain)
    }

    /// Publishes an event of the extension, `type.action.key`, which stays only if this is committed. The type is one that
    /// [`events`](super::Extension::events) declares; the object becomes a JSON object.
    ///
    /// # Errors
    /// When the type is not declared, or one of the parts cannot be that of an event.
    pub fn publish(&self, kind: &str, action: &str, key: impl Display, object: &impl Serialize) -> Result<()> {
        let published = published(&self.scope, kind, action, &key, object)?;
        self.db.journal().publish(principal::extension(self.scope.own().metadata.name), published);
        Ok(())
    }

    /// The cluster with this id, which nobody changes or deletes until this transaction ends. Whoever writes rows about a
    /// cluster begins with it, so that none is left behind when the cluster is deleted at the same time.
    ///
    /// ```
    /// # use rivetgun::prelude::*;
    /// async fn note(cx: ExtensionContext, Path(cluster_id): Path<i64>) -> Result<StatusCode> {
    ///     let tx = cx.transaction().await?;
    ///     let missing = || Error::not_found(format!("cluster {cluster_id} does not exist"));
    ///     let cluster = tx.lock_cluster(cluster_id).await?.ok_or_else(missing)?;
    ///     // … rows about it are written with `&*tx` …
    ///     # drop(cluster);
    ///     tx.commit().await?;
    ///     Ok(StatusCode::NO_CONTENT)
    /// }
    /// ```
    ///
    /// # Errors
    /// What the database says.
    pub async fn lock_cluster(&self, id: i64) -> Result<Option<Cluster>> {
        Ok(store::clusters::find_locked(self.db.core(), id).await?)
    }

    /// The node with this id, which nobody else changes or deletes until this transaction ends, nor its cluster: for who
    /// writes rows about it, like [`DbTransaction::lock_cluster`].
    ///
    /// # Errors
    /// A conflict, when the node joins a cluster at the same moment; what the database says.
    pub async fn lock_node(&self, id: i64) -> Result<Option<Node>> {
        let core = self.db.core();
        // Everybody locks the cluster before its nodes, so that nobody waits in a circle.
        let clusters = store::nodes::clusters_of(core, &[id]).await?;
        for cluster in &clusters {
            store::clusters::find_locked(core, *cluster).await?;
        }
        let node = store::nodes::find_locked(core, &self.scope.domain, id).await?;
        match node.as_ref().and_then(|node| node.cluster) {
            Some(cluster) if !clusters.contains(&cluster) => {
                Err(Error::conflict(format!("node {id} joined a cluster at the same moment; try again")))
            }
            _ => Ok(node),
        }
    }

    /// Refuses while a task of a cluster has not ended, from its request on: for who changes what such work reads. The caller
    /// holds the cluster, so that none begins in the meantime.
    ///
    /// # Errors
    /// A conflict that names the task; what the database says.
    pub async fn refuse_while_a_task_runs(&self, cluster: i64) -> Result<()> {
        match store::tasks::unfinished_in(self.db.core(), cluster).await?.first() {
            None => Ok(()),
            Some(task) => Err(Error::conflict(format!(
                "task {} ({}) is {} in cluster {cluster}; wait until it has ended",
                task.id, task.name, task.status
            ))),
        }
    }

    /// Notes that a cluster changed since its last deployment, and in what: a word like `disks`, which is then listed in its
    /// `changes`. It is written when this is committed, and all extensions are told of it like of any change of a cluster.
    pub fn note_change(&mut self, cluster: i64, what: &'static str) {
        self.noted.push((cluster, what));
    }

    /// Makes what was written stay.
    ///
    /// # Errors
    /// A conflict, when another extension refuses what [`DbTransaction::note_change`] noted; what the database says.
    pub async fn commit(self) -> Result<()> {
        let Self { db, scope, desk, noted } = self;
        on_runtime(async move {
            let (transaction, _turn) = db.into_transaction().await?;
            match noted.is_empty() {
                true => Ok(transaction.commit().await?),
                false => desk.commit(transaction, scope.now, noted).await,
            }
        })
        .await
    }
}

impl fmt::Debug for DbTransaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DbTransaction")
            .field("db", &self.db)
            .field("noted", &self.noted)
            .finish_non_exhaustive()
    }
}

impl Deref for DbTransaction {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}
