//! The extension that writes down every call, with its subject and the fields that changed.

use crate::probe::{CreateRows, rows, write_row};
use rivetgun::prelude::{sea_orm::ConnectionTrait, *};

#[derive(Debug, Default)]
struct Ledger;

async fn calls(cx: ExtensionContext) -> Result<Json<Vec<Value>>> {
    rows(&cx, "ledger").await
}

async fn forget(cx: ExtensionContext) -> Result<StatusCode> {
    let tx = cx.transaction().await?;
    tx.execute_unprepared("DELETE FROM ledger_rows").await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Ledger {
    async fn note(&self, cx: &HookContext<'_>, hook: &str, subject: &str) -> Result<()> {
        write_row(cx, "ledger", hook, subject).await
    }
}

/// `name: field old → new`, for the fields whose values are short and the same each time.
fn changed(name: &str, change: &Change) -> String {
    let fields = change.iter().map(|(field, values)| match (values.old.to_string(), values.new.to_string()) {
        (old, new) if old.len() + new.len() < 60 && field != "timestamp" => {
            format!("{field} {old} → {new}")
        }
        _ => field.to_owned(),
    });
    format!("{name}: {}", fields.collect::<Vec<_>>().join("; "))
}

fn names(nodes: &[Node]) -> String {
    nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[extension(name = "ledger", version = "1.0.0", description = "Writes down every call")]
impl Extension for Ledger {
    fn urls(&self) -> Urls {
        urls! { r"/ledger/rows/?" => get(calls).delete(forget) }
    }

    fn migrations(&self) -> Migrations {
        Migrations::new().with(CreateRows("ledger_rows"))
    }

    async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        self.note(cx, "on_node_create", &node.name).await
    }

    async fn on_node_update(&self, cx: &HookContext<'_>, node: &Node, change: &Change) -> Result<()> {
        self.note(cx, "on_node_update", &changed(&node.name, change)).await
    }

    async fn on_node_reset(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        self.note(cx, "on_node_reset", &node.name).await
    }

    async fn on_node_delete(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        self.note(cx, "on_node_delete", &node.name).await
    }

    async fn on_node_collection_delete(&self, cx: &HookContext<'_>, node_ids: &[i64]) -> Result<()> {
        let mut nodes = Vec::new();
        for id in node_ids {
            nodes.extend(cx.model().node(*id).await?);
        }
        self.note(cx, "on_node_collection_delete", &names(&nodes)).await
    }

    async fn on_node_assign(&self, cx: &HookContext<'_>, node: &Node, cluster: &Cluster) -> Result<()> {
        self.note(cx, "on_node_assign", &format!("{}, {}", node.name, cluster.name)).await
    }

    async fn on_remove_node_from_cluster(&self, cx: &HookContext<'_>, node: &Node, cluster: &Cluster) -> Result<()> {
        self.note(cx, "on_remove_node_from_cluster", &format!("{}, {}", node.name, cluster.name)).await
    }

    async fn on_nodegroup_create(&self, cx: &HookContext<'_>, group: &NodeGroup) -> Result<()> {
        self.note(cx, "on_nodegroup_create", &group.name).await
    }

    async fn on_nodegroup_delete(&self, cx: &HookContext<'_>, group: &NodeGroup) -> Result<()> {
        self.note(cx, "on_nodegroup_delete", &group.name).await
    }

    async fn on_cluster_create(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
        self.note(cx, "on_cluster_create", &cluster.name).await
    }

    async fn on_cluster_update(&self, cx: &HookContext<'_>, cluster: &Cluster, change: &Change) -> Result<()> {
        self.note(cx, "on_cluster_update", &changed(&cluster.name, change)).await
    }

    async fn on_cluster_delete(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
        self.note(cx, "on_cluster_delete", &cluster.name).await
    }

    async fn on_cluster_patch_attributes(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        change: &Change,
    ) -> Result<()> {
        self.note(cx, "on_cluster_patch_attributes", &changed(&cluster.name, change)).await
    }

    async fn on_extension_enable(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
        self.note(cx, "on_extension_enable", &cluster.name).await
    }

    async fn on_extension_disable(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
        self.note(cx, "on_extension_disable", &cluster.name).await
    }

    async fn on_before_deployment_check(&self, cx: &HookContext<'_>, cluster: &Cluster, nodes: &[Node]) -> Result<()> {
        self.note(cx, "on_before_deployment_check", &format!("{}: {}", cluster.name, names(nodes))).await
    }

    async fn on_before_deployment_serialization(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        nodes: &[Node],
    ) -> Result<()> {
        self.note(cx, "on_before_deployment_serialization", &format!("{}: {}", cluster.name, names(nodes))).await
    }

    async fn on_before_provisioning_serialization(
        &self,
        cx: &HookContext<'_>,
        cluster: &Cluster,
        nodes: &[Node],
    ) -> Result<()> {
        self.note(cx, "on_before_provisioning_serialization", &format!("{}: {}", cluster.name, names(nodes))).await
    }
}
