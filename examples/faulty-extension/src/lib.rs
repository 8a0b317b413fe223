//! Misbehaves on demand: a node that is named `on_node_create: late panic` makes it panic in that hook. The README lists
//! the faults.

mod calls;
mod fault;
mod life;
mod m20261121_000001_create_calls;
mod settings;

use rivetgun::prelude::*;

/// The extension `faulty`.
#[derive(Debug, Default)]
pub struct Faulty;

#[extension(name = "faulty", settings = settings::Settings)]
impl Extension for Faulty {
    fn urls(&self) -> Urls {
        urls! { r"/faulty/calls/?" => get(calls::list) }
    }

    fn migrations(&self) -> Migrations {
        migrations![m20261121_000001_create_calls]
    }

    fn validate(&self, cx: &SetupContext<'_>) -> Result<()> {
        life::validate(cx.settings::<Self>())
    }

    async fn initialize(&self, cx: &ExtensionContext) -> Result<()> {
        life::pass(cx, "initialize", cx.settings::<Self>().initialize).await
    }

    async fn start(&self, cx: &StartContext) -> Result<()> {
        let settings = cx.settings::<Self>();
        life::work(cx, settings.work);
        life::pass(cx, "start", settings.start).await
    }

    async fn close(&self, cx: &ExtensionContext) -> Result<()> {
        life::pass(cx, "close", cx.settings::<Self>().close).await
    }

    fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_node_create", vec![node.name.clone()])
    }

    fn on_node_update(
        &self,
        cx: &HookContext<'_>,
        node: &Node,
        change: &Change,
    ) -> impl Future<Output = Result<()>> + Send {
        let hook = match change.get("status") {
            Some(_) => format!("on_node_update to {}", node.status),
            None => "on_node_update".to_owned(),
        };
        called(cx, hook, vec![node.name.clone()])
    }

    fn on_node_reset(&self, cx: &HookContext<'_>, node: &Node) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_node_reset", vec![node.name.clone()])
    }

    fn on_node_delete(&self, cx: &HookContext<'_>, node: &Node) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_node_delete", vec![node.name.clone()])
    }

    async fn on_node_collection_delete(&self, cx: &HookContext<'_>, node_ids: &[i64]) -> Result<()> {
        let mut names = Vec::new();
        for id in node_ids {
            names.extend(cx.model().node(*id).await?.map(|node| node.name));
        }
        called(cx, "on_node_collection_delete", names).await
    }

    fn on_node_assign(
        &self,
        cx: &HookContext<'_>,
        node: &Node,
        _cluster: &Cluster,
    ) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_node_assign", vec![node.name.clone()])
    }

    fn on_remove_node_from_cluster(
        &self,
        cx: &HookContext<'_>,
        node: &Node,
        _cluster: &Cluster,
    ) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_remove_node_from_cluster", vec![node.name.clone()])
    }

    fn on_nodegroup_create(&self, cx: &HookContext<'_>, group: &NodeGroup) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_nodegroup_create", vec![group.name.clone()])
    }

    fn on_nodegroup_delete(&self, cx: &HookContext<'_>, group: &NodeGroup) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_nodegroup_delete", vec![group.name.clone()])
    }

    fn on_cluster_create(&self, cx: &HookContext<'_>, cluster: &Cluster) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_cluster_create", vec![cluster.name.clone()])
    }

    fn on_cluster_update(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        _change: &Change,
    ) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_cluster_update", vec![cluster.name.clone()])
    }

    fn on_cluster_delete(&self, cx: &HookContext<'_>, cluster: &Cluster) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_cluster_delete", vec![cluster.name.clone()])
    }

    fn on_cluster_patch_attributes(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        _change: &Change,
    ) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_cluster_patch_attributes", vec![cluster.name.clone()])
    }

    fn on_extension_enable(&self, cx: &HookContext<'_>, cluster: &Cluster) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_extension_enable", vec![cluster.name.clone()])
    }

    fn on_extension_disable(&self, cx: &HookContext<'_>, cluster: &Cluster) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_extension_disable", vec![cluster.name.clone()])
    }

    fn on_before_deployment_check(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        _nodes: &[Node],
    ) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_before_deployment_check", vec![cluster.name.clone()])
    }

    fn on_before_deployment_serialization(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        _nodes: &[Node],
    ) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_before_deployment_serialization", vec![cluster.name.clone()])
    }

    fn on_before_provisioning_serialization(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        _nodes: &[Node],
    ) -> impl Future<Output = Result<()>> + Send {
        called(cx, "on_before_provisioning_serialization", vec![cluster.name.clone()])
    }
}

/// What it does in every hook: write a row, then what the names of the subjects want.
///
/// A plain function that returns a future, as the hooks are, so that an early panic comes before there is one.
fn called(
    cx: &HookContext<'_>,
    hook: impl Into<String>,
    names: Vec<String>,
) -> impl Future<Output = Result<()>> + Send {
    let hook = hook.into();
    fault::panic_early(&hook, &names);
    async move {
        calls::record(cx.db(), &hook, &names).await?;
        fault::misbehave(cx.db(), &hook, &names).await
    }
}
