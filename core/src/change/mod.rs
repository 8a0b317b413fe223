//! Changes of the model: one function a kind of change, for every path that leads to it.
//!
//! The HTTP API, the import, the demo and the reports of orchestrators all go through here, so that the rules are
//! checked, and the hooks called, in one place. Each function takes a [`ChangeTx`] and leaves the commit to its caller.
//!
//! What a change will write it locks first, and everybody locks in one order, so that nobody waits in a circle: the task,
//! the cluster, the nodes by id.

pub(crate) mod clusters;
pub(crate) mod enabling;
pub(crate) mod groups;
pub(crate) mod membership;
pub(crate) mod nodes;
pub(crate) mod presence;
pub(crate) mod releases;

use crate::{
    contain::{self, Fault, HookFault},
    error::{Outcome, Refusal, Veto},
    extension::{HookCall, OnFault},
    model::{Cluster, Node, TaskKind, Topic},
    registry::Loaded,
    server::Server,
    store::{self, NewNotification, NewTask, WriteTx},
};
use chrono::{DateTime, Utc};
use std::{ops::Deref, sync::Arc};

/// What a fault of an extension does to the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// A veto and a fault refuse it, unless the operator chose to isolate the extension's faults.
    Strict,
    /// Nothing refuses it: a deletion by force, or a report of what has happened already.
    Unstoppable,
}

/// A hook that is called before work on nodes.
pub(crate) type WorkHook = for<'a> fn(&'a Cluster, &'a [Node]) -> HookCall<'a>;

/// A transaction in which the model changes and hooks are called.
pub(crate) struct ChangeTx {
    pub(crate) server: Arc<Server>,
    transaction: WriteTx,
    /// The moment of the change, the same for all that happens in it.
    pub(crate) now: DateTime<Utc>,
    tolerance: Tolerance,
    /// Extensions whose faults this change went on without; they are degraded once it is committed.
    isolated: Vec<(Arc<Loaded>, String)>,
}

impl Server {
    /// Begins a change.
    pub(crate) async fn change(self: &Arc<Self>, tolerance: Tolerance) -> Outcome<ChangeTx> {
        let now = self.clock.now();
        let transaction = self.store.write().await?.at(now);
        Ok(ChangeTx { tolerance, ..ChangeTx::over(self, transaction, now) })
    }
}

impl ChangeTx {
    /// A change in a transaction that has begun already, which a veto and a fault refuse.
    pub(crate) fn over(server: &Arc<Server>, transaction: WriteTx, now: DateTime<Utc>) -> Self {
        Self { server: Arc::clone(server), transaction, now, tolerance: Tolerance::Strict, isolated: Vec::new() }
    }

    pub(crate) async fn commit(self) -> Outcome<()> {
        self.transaction.commit().await?;
        for (loaded, reason) in self.isolated {
            loaded.condition.degrade(self.now, reason);
        }
        Ok(())
    }

    /// What follows is done by somebody else.
    pub(crate) fn goes_on_as(&mut self, principal: Arc<str>) {
        self.transaction.journal.principal = principal;
    }

    pub(crate) async fn rollback(self) -> Outcome<()> {
        Ok(self.transaction.rollback().await?)
    }

    /// The domain of the installation, which the queries of nodes need.
    pub(crate) fn domain(&self) -> Arc<str> {
        Arc::clone(&self.server.domain)
    }

    /// A task of this kind, for the orchestrator of this cluster.
    pub(crate) fn new_task(&self, kind: TaskKind, cluster: Option<&Cluster>) -> NewTask {
        NewTask {
            cluster: cluster.map(|cluster| cluster.id),
            kind,
            parent: None,
            dry_run: false,
            orchestrator: cluster.map(|cluster| cluster.orchestrator.clone()).unwrap_or_default(),
            server: self.server.id,
            now: self.now,
        }
    }

    /// Calls a hook of every extension, in the total order.
    pub(crate) async fn fire(&mut self, hook: HookCall<'_>) -> Outcome<()> {
        let server = Arc::clone(&self.server);
        for loaded in server.registry.iter() {
            self.fire_one(loaded, hook).await?;
        }
        Ok(())
    }

    /// Calls a hook of the extensions with these names, in the total order.
    pub(crate) async fn fire_for(&mut self, names: &[String], hook: HookCall<'_>) -> Outcome<()> {
        let server = Arc::clone(&self.server);
        for loaded in server.registry.iter().filter(|loaded| names.iter().any(|name| name == loaded.metadata.name)) {
            self.fire_one(loaded, hook).await?;
        }
        Ok(())
    }

    /// Calls a hook of the extensions that are enabled for a cluster, or for some of these nodes: then with those.
    pub(crate) async fn fire_enabled(&mut self, cluster: &Cluster, nodes: &[Node], hook: WorkHook) -> Outcome<()> {
        let server = Arc::clone(&self.server);
        for (loaded, reach) in server.registry.enabled_for(cluster, nodes) {
            self.fire_one(loaded, hook(cluster, reach.of(nodes))).await?;
        }
        Ok(())
    }

    /// Like [`ChangeTx::fire_enabled`], for a hook that checks: all of them run, and their vetoes are told together.
    pub(crate) async fn check_enabled(&mut self, cluster: &Cluster, nodes: &[Node], hook: WorkHook) -> Outcome<()> {
        let server = Arc::clone(&self.server);
        let (mut vetoes, mut fault) = (Vec::new(), None);
        for (loaded, reach) in server.registry.enabled_for(cluster, nodes) {
            match self.fire_one(loaded, hook(cluster, reach.of(nodes))).await {
                Err(Refusal::Vetoed(more)) => vetoes.extend(more),
                Err(refusal @ Refusal::Faulted { .. }) => fault = fault.or(Some(refusal)),
                outcome => outcome?,
            }
        }
        match fault {
            // Whether the check would pass is not known then, whatever the others say.
            Some(fault) => Err(fault),
            None if vetoes.is_empty() => Ok(()),
            None => Err(Refusal::Vetoed(vetoes)),
        }
    }

    async fn fire_one(&mut self, loaded: &Arc<Loaded>, hook: HookCall<'_>) -> Outcome<()> {
        if !loaded.metadata.overrides(hook.method()) || !loaded.is_available() {
            return Ok(());
        }
        let scope = self.server.scope(loaded, self.now);
        let fault = match contain::call_hook(loaded, scope, &self.transaction, hook).await {
            Ok(()) => return Ok(()),
            Err(HookFault::Database(error)) => return Err(error.into()),
            Err(HookFault::Extension(fault)) => fault,
        };
        let extension = loaded.metadata.name.to_owned();
        match (self.tolerance, loaded.on_fault, fault) {
            (Tolerance::Strict, _, Fault::Refused(reason)) => Err(Refusal::Vetoed(vec![Veto { extension, reason }])),
            (Tolerance::Strict, OnFault::Refuse, fault) => {
                Err(Refusal::Faulted { extension, method: hook.method(), fault })
            }
            (_, _, fault) => self.go_on_without(loaded, hook, &fault).await,
        }
    }

    /// Leaves a notification in place of what the hook would have done.
    async fn go_on_without(&mut self, loaded: &Arc<Loaded>, hook: HookCall<'_>, fault: &Fault) -> Outcome<()> {
        let (cluster, node) = hook.subject();
        let reason = format!("it {}; the change went on without it", fault.public(hook.method()));
        let notification = NewNotification {
            topic: Topic::Warning,
            message: format!("extension `{}`: {reason}", loaded.metadata.name),
            time: self.now,
            cluster,
            node,
            task: None,
            extension: Some(loaded.metadata.name.to_owned()),
        };
        store::notifications::insert(&self.transaction, notification).await?;
        if !matches!(fault, Fault::Refused(_)) {
            self.isolated.push((Arc::clone(loaded), reason));
        }
        Ok(())
    }
}

impl Deref for ChangeTx {
    type Target = WriteTx;

    fn deref(&self) -> &WriteTx {
        &self.transaction
    }
}
