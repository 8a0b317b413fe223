//! The object-safe twin of [`Extension`], implemented once for all of them. Only `contain` calls it.

use super::{
    Calls, Demo, EventContext, EventTypes, Extension, ExtensionContext, HookCall, HookContext, Migrations,
    Orchestrators, Pipelines, Provides, Result, SectionError, SetupContext, StartContext, Subscriptions, Urls,
    extension_section,
};
use crate::model::{Event, Point};
use futures_util::future::BoxFuture;
use std::{any::Any, sync::Arc};

pub(crate) trait DynExtension: Send + Sync {
    fn urls(&self) -> Urls;
    fn migrations(&self) -> Migrations;
    fn pipelines(&self) -> Pipelines;
    fn provides(&self) -> Provides;
    fn calls(&self) -> Calls;
    fn orchestrators(&self) -> Orchestrators;
    fn events(&self) -> EventTypes;
    fn subscriptions(&self, cx: &SetupContext<'_>) -> Subscriptions;
    fn demo(&self) -> Demo;
    /// Reads the extension's section of the settings into its own type.
    fn settings(&self, section: toml::Table) -> Result<Arc<dyn Any + Send + Sync>, Vec<SectionError>>;
    fn validate(&self, cx: &SetupContext<'_>) -> Result<()>;
    fn initialize<'a>(&'a self, cx: &'a ExtensionContext) -> BoxFuture<'a, Result<()>>;
    fn start<'a>(&'a self, cx: &'a StartContext) -> BoxFuture<'a, Result<()>>;
    fn close<'a>(&'a self, cx: &'a ExtensionContext) -> BoxFuture<'a, Result<()>>;
    fn call<'a>(&'a self, cx: &'a HookContext<'a>, call: HookCall<'a>) -> BoxFuture<'a, Result<()>>;
    fn handle_event<'a>(&'a self, cx: &'a EventContext, event: &'a Event) -> BoxFuture<'a, Result<()>>;
    fn monitors(&self, cx: &SetupContext<'_>) -> bool;
    fn on_monitoring<'a>(&'a self, cx: &'a ExtensionContext, points: &'a [Point]) -> BoxFuture<'a, Result<()>>;
}

pub(super) struct Instance<E>(pub(super) E);

impl<E: Extension> DynExtension for Instance<E> {
    fn urls(&self) -> Urls {
        self.0.urls()
    }

    fn migrations(&self) -> Migrations {
        self.0.migrations()
    }

    fn pipelines(&self) -> Pipelines {
        self.0.pipelines()
    }

    fn provides(&self) -> Provides {
        self.0.provides()
    }

    fn calls(&self) -> Calls {
        self.0.calls()
    }

    fn orchestrators(&self) -> Orchestrators {
        self.0.orchestrators()
    }

    fn events(&self) -> EventTypes {
        self.0.events()
    }

    fn subscriptions(&self, cx: &SetupContext<'_>) -> Subscriptions {
        self.0.subscriptions(cx)
    }

    fn handle_event<'a>(&'a self, cx: &'a EventContext, event: &'a Event) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.handle_event(cx, event))
    }

    fn demo(&self) -> Demo {
        self.0.demo()
    }

    fn monitors(&self, cx: &SetupContext<'_>) -> bool {
        self.0.monitors(cx)
    }

    fn on_monitoring<'a>(&'a self, cx: &'a ExtensionContext, points: &'a [Point]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.on_monitoring(cx, points))
    }

    fn settings(&self, section: toml::Table) -> Result<Arc<dyn Any + Send + Sync>, Vec<SectionError>> {
        Ok(Arc::new(extension_section::<E::Settings>(section)?))
    }

    fn validate(&self, cx: &SetupContext<'_>) -> Result<()> {
        self.0.validate(cx)
    }

    fn initialize<'a>(&'a self, cx: &'a ExtensionContext) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.initialize(cx))
    }

    fn start<'a>(&'a self, cx: &'a StartContext) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.start(cx))
    }

    fn close<'a>(&'a self, cx: &'a ExtensionContext) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.close(cx))
    }

    fn call<'a>(&'a self, cx: &'a HookContext<'a>, call: HookCall<'a>) -> BoxFuture<'a, Result<()>> {
        let extension = &self.0;
        match call {
            HookCall::NodeCreate(node) => Box::pin(extension.on_node_create(cx, node)),
            HookCall::NodeUpdate(node, change) => Box::pin(extension.on_node_update(cx, node, change)),
            HookCall::NodeReset(node) => Box::pin(extension.on_node_reset(cx, node)),
            HookCall::NodeDelete(node) => Box::pin(extension.on_node_delete(cx, node)),
            HookCall::NodeCollectionDelete(ids) => Box::pin(extension.on_node_collection_delete(cx, ids)),
            HookCall::NodeAssign(node, cluster) => Box::pin(extension.on_node_assign(cx, node, cluster)),
            HookCall::RemoveNodeFromCluster(node, cluster) => {
                Box::pin(extension.on_remove_node_from_cluster(cx, node, cluster))
            }
            HookCall::NodegroupCreate(group) => Box::pin(extension.on_nodegroup_create(cx, group)),
            HookCall::NodegroupDelete(group) => Box::pin(extension.on_nodegroup_delete(cx, group)),
            HookCall::ClusterCreate(cluster) => Box::pin(extension.on_cluster_create(cx, cluster)),
            HookCall::ClusterUpdate(cluster, change) => Box::pin(extension.on_cluster_update(cx, cluster, change)),
            HookCall::ClusterDelete(cluster) => Box::pin(extension.on_cluster_delete(cx, cluster)),
            HookCall::ClusterPatchAttributes(cluster, change) => {
                Box::pin(extension.on_cluster_patch_attributes(cx, cluster, change))
            }
            HookCall::ExtensionEnable(cluster) => Box::pin(extension.on_extension_enable(cx, cluster)),
            HookCall::ExtensionDisable(cluster) => Box::pin(extension.on_extension_disable(cx, cluster)),
            HookCall::BeforeDeploymentCheck(cluster, nodes) => {
                Box::pin(extension.on_before_deployment_check(cx, cluster, nodes))
            }
            HookCall::BeforeDeploymentSerialization(cluster, nodes) => {
                Box::pin(extension.on_before_deployment_serialization(cx, cluster, nodes))
            }
            HookCall::BeforeProvisioningSerialization(cluster, nodes) => {
                Box::pin(extension.on_before_provisioning_serialization(cx, cluster, nodes))
            }
        }
    }
}
