//! The overlays of a cluster, and how they are laid over the deployment data.

use crate::{
    ConfigOverlay,
    files::Reader,
    repos,
    rule::{Rule, forbidden},
    whitelist,
};
use rivetgun::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Lays the overlays of a cluster over its deployment data.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    reader: Reader,
}

/// The overlays of a cluster as they were at one moment.
#[derive(Debug, Default)]
struct Overlays {
    /// For all nodes: the global one and, over it, that of the cluster.
    shared: Object,
    /// For some, by the name of the file.
    own: BTreeMap<String, Object>,
}

#[pipeline]
impl Pipeline for Overlay {
    async fn prepare(&self, cx: &PrepareContext, cluster: &Cluster, nodes: &[Node]) -> Result<Prepared> {
        let Some(repo) = repos::of_cluster(cx.db(), cluster.id).await? else {
            return Ok(Prepared::new(Overlays::default()));
        };
        let whitelist = whitelist::of_cluster(cx.db(), cluster.id).await?;
        let names = shared_files(cluster).into_iter().chain(nodes.iter().flat_map(files_of)).collect();
        let files = self.reader.read(cx.settings::<ConfigOverlay>(), &repo, names).await?;
        refuse_forbidden(&files, &whitelist)?;
        Ok(Prepared::new(Overlays::of(cluster, files)))
    }

    fn process_deployment(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        let overlays: &Overlays = cx.prepared()?;
        merge(data.common_mut(), overlays.shared.clone());
        Ok(())
    }

    fn process_deployment_for_node(&self, cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
        let overlays: &Overlays = cx.prepared()?;
        if cx.cluster().extensions.iter().any(|name| name == "config_overlay") {
            uncover(data, &overlays.shared);
        } else {
            // The node alone enables it: what all nodes share has nothing of the overlays.
            merge(data, overlays.shared.clone());
        }
        for overlay in files_of(node).iter().filter_map(|name| overlays.own.get(name)) {
            merge(data, overlay.clone());
        }
        Ok(())
    }
}

impl Overlays {
    fn of(cluster: &Cluster, mut files: BTreeMap<String, Object>) -> Self {
        let mut shared = Object::new();
        for overlay in shared_files(cluster).iter().filter_map(|name| files.remove(name)) {
            merge(&mut shared, overlay);
        }
        Self { shared, own: files }
    }
}

/// The files for all nodes of a cluster, in the order in which they are laid over each other.
fn shared_files(cluster: &Cluster) -> Vec<String> {
    ["global.yaml".to_owned()].into_iter().chain(file("clusters", &cluster.name)).collect()
}

/// The files for one node, in the order in which they are laid over each other: its roles, sorted, and its own.
fn files_of(node: &Node) -> Vec<String> {
    let roles: BTreeSet<String> = node.all_roles().into_iter().collect();
    roles.iter().filter_map(|role| file("roles", role)).chain(file("nodes", &node.fqdn)).collect()
}

/// The file of what has this name; `None` where no file can be called so.
fn file(folder: &str, name: &str) -> Option<String> {
    let is_possible =
        !name.is_empty() && !name.starts_with('.') && !name.contains(|char: char| char == '/' || char.is_control());
    is_possible.then(|| format!("{folder}/{name}.yaml"))
}

/// Sets what a node has for itself, and an overlay for all nodes sets too, to what the overlay says: it would be hidden, since
/// the document of a node is laid over what all nodes share.
fn uncover(document: &mut Object, shared: &Object) {
    for (key, overlay) in shared {
        match (document.get_mut(key), overlay) {
            (Some(Value::Object(own)), Value::Object(overlay)) => uncover(own, overlay),
            (Some(own), overlay) => *own = overlay.clone(),
            (None, _) => {}
        }
    }
}

/// Refuses overlays that change what they must not.
fn refuse_forbidden(files: &BTreeMap<String, Object>, whitelist: &[whitelist::Model]) -> Result<()> {
    let rules: Vec<Rule> = whitelist.iter().filter_map(|row| Rule::parse(&row.rule)).collect();
    let offences: Vec<String> = files
        .iter()
        .map(|(name, overlay)| (name, forbidden(overlay, &rules)))
        .filter(|(_, places)| !places.is_empty())
        .map(|(name, places)| format!("{name} changes {}", places.join(", ")))
        .collect();
    if offences.is_empty() {
        return Ok(());
    }
    let allowed = match whitelist {
        [] => format!("without a whitelist that is all but /cluster, /{}", NodeData::KEYS.join(", /")),
        rules => {
            let rules: Vec<&str> = rules.iter().map(|row| row.rule.as_str()).collect();
            format!("the whitelist of the cluster allows {}", rules.join(", "))
        }
    };
    Err(Error::invalid(format!("overlays change what they may not: {}; {allowed}", offences.join("; "))))
}
