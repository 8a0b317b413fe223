//! The contract between Rivetgun and the authors of extensions.
//!
//! An extension is a type with one `impl`: [`Extension`]. Every method has a default, so the block is the table of
//! contents of what the extension does. `#[extension]` above it writes the metadata and registers the type.

mod context;
mod data;
mod database;
mod demo;
mod desk;
mod dynamic;
mod error;
mod event_types;
mod fence;
mod hook;
mod leash;
mod metadata;
mod methods;
mod migrations;
mod on_runtime;
mod orchestrator;
mod pipeline;
mod provide;
mod report;
mod scope;
mod settings;
mod setup;
mod start;
mod subscription;
#[cfg(all(test, feature = "testkit"))]
mod time_tests;
mod transaction;
mod urls;

pub use context::{CallContext, ExtensionContext, HookContext, Model, PipelineContext, PrepareContext};
pub use data::{ClusterData, NodeData};
pub use database::Db;
pub use demo::Demo;
pub use error::{Error, Result, veto};
pub use event_types::EventTypes;
pub use metadata::{Described, DescribedPipeline, Metadata, PipelineMetadata, Registration};
pub use methods::{Methods, delete, get, patch, post, put};
pub use migrations::Migrations;
pub use orchestrator::{Dispatch, Document, Documents, Orchestrator, OrchestratorContext, Orchestrators, Receipt};
pub use pipeline::{Pipeline, Pipelines, Prepared};
pub use provide::{Calls, Provider, Provides};
pub use report::{Heard, NodeReport, Report, Said};
pub use settings::NoSettings;
pub use setup::SetupContext;
pub use start::{StartContext, TaskContext};
pub use subscription::{EventContext, Subscriptions};
pub use transaction::DbTransaction;
pub use urls::Urls;

pub(crate) use database::Connection;
pub(crate) use demo::{DemoIds, DemoRequest};
pub(crate) use desk::Desk;
pub(crate) use dynamic::DynExtension;
pub(crate) use error::Kind;
pub(crate) use event_types::DeclaredType;
pub(crate) use fence::Fence;
pub(crate) use hook::HookCall;
pub(crate) use leash::Leash;
pub(crate) use pipeline::{DynPipeline, Stage};
pub(crate) use provide::{Called, Provided};
pub(crate) use scope::{Peer, Scope};
pub(crate) use settings::{Containment, OnFault, SectionError, extension_section};
pub(crate) use start::{BackgroundWork, Spawn};
pub(crate) use subscription::{Begin, Declared};
pub(crate) use urls::UrlEntry;

use crate::model::{Change, Cluster, Event, Node, NodeGroup, Point};
use std::future::Future;

/// A part of the server that lives in a crate of its own.
///
/// A hook is called for every node, group or cluster of the server, whether the extension is enabled for it or not, unless it
/// says otherwise; [`Cluster::extensions`] tells. Stages of pipelines run where it is enabled.
///
/// The hooks (`on_*`, all but [`on_monitoring`](Extension::on_monitoring)) run inside the transaction of the change that they report: what they write through
/// [`HookContext::db`] commits or rolls back with it, each extension in a savepoint of its own.
/// `Err(`[`veto`]`("why"))` refuses the change with 409. Any other error, a panic, or taking longer than the hook's time
/// limit refuses it with 500 or 504, unless the operator chose `on_fault = "isolate"` for the extension. Slow work and
/// calls to other systems do not belong in a hook: it holds the transaction.
///
/// Blocking code cannot be interrupted, in a hook or anywhere else: a time limit ends the waiting, not the work.
///
/// ```
/// use rivetgun::prelude::*;
///
/// #[derive(Default)]
/// pub struct Doorkeeper;
///
/// #[extension(name = "doorkeeper", version = "1.0.0", description = "Refuses nodes without disks")]
/// impl Extension for Doorkeeper {
///     async fn on_node_create(&self, _cx: &HookContext<'_>, node: &Node) -> Result<()> {
///         match node.meta.get("disks").and_then(|disks| disks.as_array()) {
///             Some(disks) if !disks.is_empty() => Ok(()),
///             _ => Err(veto(format!("node {} has no disks", node.name))),
///         }
///     }
/// }
/// # fn main() {}
/// ```
pub trait Extension: Described + Send + Sync + 'static {
    /// The URLs that it answers, below `/api/v1`; see [`urls!`](crate::urls).
    fn urls(&self) -> Urls {
        Urls::new()
    }

    /// Its migrations, oldest first; see [`migrations!`](crate::migrations).
    fn migrations(&self) -> Migrations {
        Migrations::new()
    }

    /// Its pipelines, in the order in which they run; see [`pipelines!`](crate::pipelines).
    fn pipelines(&self) -> Pipelines {
        Pipelines::new()
    }

    /// What it provides to other extensions; see [`Provides`].
    fn provides(&self) -> Provides {
        Provides::new()
    }

    /// What it calls of the extensions that it requires; see [`Provides`].
    fn calls(&self) -> Calls {
        Calls::new()
    }

    /// Its orchestrators, which clusters choose by name; see [`Orchestrator`].
    fn orchestrators(&self) -> Orchestrators {
        Orchestrators::new()
    }

    /// Checks its settings beyond their types, while the server is put together. An error keeps the server from starting,
    /// and is told with everything else that is wrong; its text is for the operator, whatever kind of error it is. So does
    /// taking longer than `[limits] initialize_timeout_ms`, here and in the other methods that are called then.
    fn validate(&self, _cx: &SetupContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Gets ready, once in the life of the process: opens connections, makes what it needs elsewhere.
    ///
    /// It is called after all migrations, and after [`start`](Extension::start) of the extensions that it names in `after`
    /// and `requires`; those that do not wait for each other are called at the same time. Until all are done the server
    /// refuses requests, so this is no place for long work.
    ///
    /// After an error, a panic or its time limit (`[limits] initialize_timeout_ms`) the extension is `failed`: the server
    /// serves without it and says why, or, where the settings list it as `required`, does not start. An extension that
    /// requires one that failed has failed as well. What `initialize` began before it failed, it ends itself.
    fn initialize(&self, _cx: &ExtensionContext) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Begins background work with [`StartContext::spawn`], and returns at once; called after
    /// [`initialize`](Extension::initialize). It fails as that does (`[limits] start_timeout_ms`).
    ///
    /// Not called where a command (`rivetgun import`, `explain`) runs the extension without serving.
    fn start(&self, _cx: &StartContext) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Ends what [`initialize`](Extension::initialize) began: called when the server stops, if that had ended well. The
    /// background work of the extension has ended then, and so have the extensions that name it in `after` and `requires`.
    /// Those that hear of points of monitoring are closed after all others. It has a time limit
    /// (`[limits] close_timeout_ms`).
    fn close(&self, _cx: &ExtensionContext) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The types of events that it publishes; see [`EventTypes`].
    fn events(&self) -> EventTypes {
        EventTypes::new()
    }

    /// The events that it hears of, after they were committed; see [`Subscriptions`].
    fn subscriptions(&self, _cx: &SetupContext<'_>) -> Subscriptions {
        Subscriptions::new()
    }

    /// Something happened that one of the [subscriptions](Extension::subscriptions) takes: the place for slow work, and for
    /// calls to other systems.
    ///
    /// Every event comes at least once, and again after an error, a panic or a crash: doing it twice must be harmless, and
    /// [`Event::sequence`] tells whether it is the same. What happens to one thing comes in the order in which it happened,
    /// one after the other; different things come at the same time.
    ///
    /// After an error the event, and those of the same thing behind it, wait, at first for a second and in the end for an
    /// hour, and others go on; for longer where [`Error::unavailable_for`] says so. After some twenty times, or at once for a
    /// [`veto`], it is put aside as a dead letter, which people can replay or drop. One that blocks its thread for longer
    /// than it may take is so after three times.
    fn handle_event(&self, _cx: &EventContext, _event: &Event) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// What `rivetgun demo` does to show it at work; see [`Demo`].
    fn demo(&self) -> Demo {
        Demo::new()
    }

    /// Points of monitoring came: of the requests that were answered, and what [`ExtensionContext::monitor`] was given. All
    /// are told, whoever sent them; the README has the series of the server itself.
    ///
    /// It is called for batches, by default of at most 200 points and at least once a second where there are any, one after
    /// the other, and once more when the server stops. Meanwhile points wait in a queue of this extension's own; what finds
    /// it full is dropped and counted. So nothing waits for what this does, neither a request nor another extension.
    ///
    /// - [`Error::unavailable`] means that the same points may be written later. The batch is offered again, for a minute by
    ///   default, and then dropped. A panic and a time-out count as that too.
    /// - Any other error, and so one of `?`, means that a point among them can never be written. The batch is cut in half, and
    ///   so on, until the one point is found that is at fault. It is dropped, and all others are offered again.
    ///
    /// A point may come twice, after a batch was written in part.
    fn on_monitoring(&self, _cx: &ExtensionContext, _points: &[Point]) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Whether it hears of points at all, if it overrides [`on_monitoring`](Extension::on_monitoring): where nobody does,
    /// none are made. It is asked once, when the server is put together.
    fn monitors(&self, _cx: &SetupContext<'_>) -> bool {
        true
    }

    /// A node was created: after the insert, before the commit.
    fn on_node_create(&self, _cx: &HookContext<'_>, _node: &Node) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A node changed in more than its progress or its heartbeat; `change` tells which fields, old and new.
    fn on_node_update(
        &self,
        _cx: &HookContext<'_>,
        _node: &Node,
        _change: &Change,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A node goes back to `discover` after a stop or a reset.
    fn on_node_reset(&self, _cx: &HookContext<'_>, _node: &Node) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A node is about to be deleted, on whatever path.
    fn on_node_delete(&self, _cx: &HookContext<'_>, _node: &Node) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Nodes are about to be deleted: once for all of them, before [`Extension::on_node_delete`]; never with an empty list.
    fn on_node_collection_delete(
        &self,
        _cx: &HookContext<'_>,
        _node_ids: &[i64],
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A node joined a cluster.
    fn on_node_assign(
        &self,
        _cx: &HookContext<'_>,
        _node: &Node,
        _cluster: &Cluster,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A node is about to leave its cluster; it still has its cluster and its roles.
    fn on_remove_node_from_cluster(
        &self,
        _cx: &HookContext<'_>,
        _node: &Node,
        _cluster: &Cluster,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A node group was created: after the insert. The default group of a new cluster follows its cluster.
    fn on_nodegroup_create(
        &self,
        _cx: &HookContext<'_>,
        _group: &NodeGroup,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A node group is about to be deleted, by itself or with its cluster; its nodes have left it already.
    fn on_nodegroup_delete(
        &self,
        _cx: &HookContext<'_>,
        _group: &NodeGroup,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A cluster was created: after the insert, before nodes join it.
    fn on_cluster_create(&self, _cx: &HookContext<'_>, _cluster: &Cluster) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A cluster changed; `change` tells which fields, old and new.
    fn on_cluster_update(
        &self,
        _cx: &HookContext<'_>,
        _cluster: &Cluster,
        _change: &Change,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// A cluster is about to be deleted; its nodes have left it already, and its groups are gone.
    fn on_cluster_delete(&self, _cx: &HookContext<'_>, _cluster: &Cluster) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The attributes of a cluster changed; `change` tells which keys, old and new.
    fn on_cluster_patch_attributes(
        &self,
        _cx: &HookContext<'_>,
        _cluster: &Cluster,
        _change: &Change,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// This extension was enabled for a cluster. Only the extension concerned is called.
    fn on_extension_enable(
        &self,
        _cx: &HookContext<'_>,
        _cluster: &Cluster,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// This extension was disabled for a cluster. Only the extension concerned is called.
    fn on_extension_disable(
        &self,
        _cx: &HookContext<'_>,
        _cluster: &Cluster,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Before every provision or deploy, with the nodes chosen; never skipped. Called where the extension is enabled.
    /// All vetoes are gathered and reported together.
    fn on_before_deployment_check(
        &self,
        _cx: &HookContext<'_>,
        _cluster: &Cluster,
        _nodes: &[Node],
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Before deployment data are made for a task (not for a GET). Called where the extension is enabled.
    fn on_before_deployment_serialization(
        &self,
        _cx: &HookContext<'_>,
        _cluster: &Cluster,
        _nodes: &[Node],
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Before provisioning data are made for a task (not for a GET). Called where the extension is enabled.
    fn on_before_provisioning_serialization(
        &self,
        _cx: &HookContext<'_>,
        _cluster: &Cluster,
        _nodes: &[Node],
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}
