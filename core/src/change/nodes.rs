//! Nodes are discovered, heard of, changed and deleted.

use super::{ChangeTx, clusters, enabling, groups, membership, presence, releases};
use crate::{
    error::{Mistake, Outcome, Refusal, pointer_of},
    extension::HookCall,
    model::{Change, Cluster, Discovery, MacAddress, Node, NodeStatus, NodeUpdate, Object, Topic, without_repetition},
    store::{self, NewNode, NewNotification},
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema},
};

/// Fields whose change alone is not worth telling: how far the work is, and when the agent was heard of.
const QUIET_FIELDS: [&str; 3] = ["progress", "timestamp", "online"];

/// A node of a list to be changed: the elements of the body of `PUT /nodes`.
#[derive(Debug, Deserialize)]
pub(crate) struct NodeInList {
    id: Option<i64>,
    mac: Option<MacAddress>,
    #[serde(flatten)]
    update: Object,
}

/// What may change of a node, and which node is meant.
impl PartialSchema for NodeInList {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(update)) = NodeUpdate::schema() else { return NodeUpdate::schema() };
        ObjectBuilder::from(update)
            .description(Some("What may change of a node, and its id or its mac."))
            .property("id", <Option<i64>>::schema())
            .property("mac", <Option<MacAddress>>::schema())
            .into()
    }
}

impl ToSchema for NodeInList {}

/// How an agent's report was taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing but the time changed.
    Cached(i64),
    Updated(i64),
}

/// A node reports for the first time.
pub(crate) async fn create(tx: &mut ChangeTx, discovery: Discovery) -> Outcome<Node> {
    create_with(tx, discovery, None, Object::new()).await
}

/// A node is made with a host name and attributes that are known from elsewhere.
pub(crate) async fn create_with(
    tx: &mut ChangeTx,
    discovery: Discovery,
    hostname: Option<String>,
    attributes: Object,
) -> Outcome<Node> {
    let Some(mac) = discovery.mac.clone() else {
        return Err(Refusal::mistakes(vec![Mistake {
            pointer: "/mac".to_owned(),
            detail: "no mac address".to_owned(),
        }]));
    };
    if discovery.status.is_some_and(|status| status != NodeStatus::Discover) {
        return Err(Refusal::Forbidden("only a node in status discover can be registered".to_owned()));
    }
    let macs = all_macs(&mac, &discovery)?;
    if let Some((known, _)) = store::nodes::known_by(&**tx, &macs).await?.first() {
        return Err(Refusal::Conflict(format!("node with mac {known} already exists")));
    }
    if let Some(hostname) = &hostname {
        check_hostname(hostname)?;
    }
    let new = NewNode {
        name: discovery.name.unwrap_or_else(|| format!("Untitled ({})", &mac.as_str()[12..])),
        mac,
        ip: discovery.ip,
        hostname,
        os_platform: discovery.os_platform,
        manufacturer: discovery.manufacturer,
        meta: discovery.meta.unwrap_or_default(),
        attributes,
        agent_checksum: discovery.agent_checksum,
        now: tx.now,
    };
    let domain = tx.domain();
    let node = store::nodes::insert(tx, &domain, new).await?;
    store::nodes::set_macs(&**tx, node.id, &macs).await?;
    let discovered = NewNotification {
        topic: Topic::Discover,
        message: format!("New node is discovered: {}", hardware(&node)),
        time: tx.now,
        cluster: None,
        node: Some(node.id),
        task: None,
        extension: None,
    };
    store::notifications::insert(tx, discovered).await?;
    tx.fire(HookCall::NodeCreate(&node)).await?;
    Ok(node)
}

/// The agent of a known node reports again.
///
/// Hardware is taken only of a node in `discover` or `error`, an empty list of disks never replaces a known one, and no
/// report moves a node from one status to another.
pub(crate) async fn heard_of(tx: &mut ChangeTx, discovery: Discovery) -> Outcome<Heard> {
    let before = find_reporting(tx, &discovery).await?;
    let id = before.id;
    if !before.online {
        presence::tell_is_back(tx, &before).await?;
    }
    if discovery.agent_checksum.is_some() && discovery.agent_checksum == store::nodes::agent_checksum(&**tx, id).await?
    {
        store::nodes::touch(tx, &before, tx.now).await?;
        return Ok(Heard::Cached(id));
    }
    let mut after = before.clone();
    after.timestamp = tx.now;
    after.online = true;
    after.ip = discovery.ip.clone().or(after.ip);
    after.os_platform = discovery.os_platform.clone().or(after.os_platform);
    after.manufacturer = discovery.manufacturer.clone().or(after.manufacturer);
    let takes_hardware = matches!(before.status, NodeStatus::Discover | NodeStatus::Error);
    if takes_hardware && let Some(mut meta) = discovery.meta.clone() {
        let macs = all_macs(&before.mac, &discovery)?;
        if let Some((mac, _)) = store::nodes::known_by(&**tx, &macs).await?.iter().find(|(_, other)| *other != id) {
            return Err(Refusal::Conflict(format!("mac {mac} belongs to another node")));
        }
        store::nodes::set_macs(&**tx, id, &macs).await?;
        let reported_none = meta.get("disks").is_none_or(|disks| disks.as_array().is_none_or(Vec::is_empty));
        if let (true, Some(known)) = (reported_none, before.meta.get("disks")) {
            meta.insert("disks".to_owned(), known.clone());
        }
        after.meta = meta;
    }
    // What was not taken now must be taken when the same report comes again.
    let checksum = discovery.agent_checksum.filter(|_| takes_hardware);
    store::nodes::set_agent_checksum(&**tx, id, checksum).await?;
    save(tx, &before, &after).await?;
    Ok(Heard::Updated(id))
}

/// Changes what a person may change.
pub(crate) async fn update(tx: &mut ChangeTx, id: i64, update: NodeUpdate) -> Outcome<Node> {
    let Locked { nodes, .. } = lock(tx, &[id]).await?;
    match nodes.into_iter().next() {
        Some(node) => update_locked(tx, node, update).await,
        None => Err(Refusal::unknown("node", id)),
    }
}

async fn update_locked(tx: &mut ChangeTx, before: Node, update: NodeUpdate) -> Outcome<Node> {
    let id = before.id;
    let mut after = before.clone();
    after.name = update.name.unwrap_or(after.name);
    after.labels = update.labels.unwrap_or(after.labels);
    after.attributes = update.attributes.unwrap_or(after.attributes);
    if let Some(group) = update.group_id {
        after.group_id = groups::for_node(tx, &before, group).await?;
    }
    if let Some(extensions) = update.extensions {
        enabling::check_known(tx, &extensions, &before.extensions)?;
        after.extensions = tx.server.registry.in_order(extensions);
    }
    for (field, wanted) in [("roles", update.roles), ("pending_roles", update.pending_roles)] {
        let Some(wanted) = wanted else { continue };
        check_node_roles(tx, &before, field, &wanted).await?;
        let wanted = without_repetition(wanted);
        if field == "roles" { after.roles = wanted } else { after.pending_roles = wanted }
    }
    if let Some(hostname) = update.hostname.filter(|hostname| *hostname != before.hostname) {
        check_hostname(&hostname)?;
        if before.status != NodeStatus::Discover {
            return Err(Refusal::Forbidden(
                "the host name of a node may be changed only before provisioning".to_owned(),
            ));
        }
        after.hostname = hostname;
        refuse_taken_hostname(tx, &after).await?;
    }
    after.fqdn = store::nodes::fqdn_of(&after.attributes, &after.hostname, &tx.domain());
    save(tx, &before, &after).await?;
    find(tx, id).await
}

/// Changes several nodes, all or none.
pub(crate) async fn update_all(tx: &mut ChangeTx, wanted: Vec<NodeInList>) -> Outcome<Vec<Node>> {
    let mut updates = Vec::with_capacity(wanted.len());
    for (index, NodeInList { id, mac, update: fields }) in wanted.into_iter().enumerate() {
        let at = |pointer: &str, detail: String| {
            Refusal::mistakes(vec![Mistake { pointer: format!("/{index}{pointer}"), detail }])
        };
        let id = match (id, mac) {
            (Some(id), _) => id,
            (None, Some(mac)) => {
                let known = store::nodes::known_by(&**tx, std::slice::from_ref(&mac)).await?;
                known.first().ok_or_else(|| Refusal::NotFound(format!("no node has the mac {mac}")))?.1
            }
            (None, None) => return Err(at("", "neither id nor mac is given".to_owned())),
        };
        let fields = serde_path_to_error::deserialize(Value::Object(fields))
            .map_err(|error| at(&pointer_of(error.path()), error.inner().to_string()))?;
        updates.push((id, fields));
    }
    let ids: Vec<i64> = updates.iter().map(|(id, _)| *id).collect();
    let Locked { nodes, .. } = lock(tx, &ids).await?;
    let mut present: BTreeMap<i64, Node> = nodes.into_iter().map(|node| (node.id, node)).collect();
    let mut updated = Vec::with_capacity(updates.len());
    for (id, fields) in updates {
        let before = present.get(&id).cloned().ok_or_else(|| Refusal::unknown("node", id))?;
        let after = update_locked(tx, before, fields).await?;
        // A node that the list names twice is changed twice.
        present.insert(id, after.clone());
        updated.push(after);
    }
    Ok(updated)
}

/// Nodes, locked, and their clusters with them.
pub(crate) async fn find_all(tx: &ChangeTx, ids: &[i64]) -> Outcome<Vec<Node>> {
    Ok(lock(tx, ids).await?.nodes)
}

/// Nodes that are to be deleted, locked; a task that works on their clusters forbids it.
pub(crate) async fn find_to_delete(tx: &ChangeTx, ids: &[i64]) -> Outcome<Vec<Node>> {
    let Locked { clusters, nodes } = lock(tx, ids).await?;
    for cluster in clusters.values() {
        if let Some(task) = store::tasks::unfinished_in(&**tx, cluster.id).await?.first() {
            return Err(Refusal::Forbidden(format!(
                "task {} is {} in cluster '{}'; nodes cannot be deleted now",
                task.id, task.status, cluster.name
            )));
        }
    }
    Ok(nodes)
}

/// Deletes nodes, which are locked, out of the model.
pub(crate) async fn erase(tx: &mut ChangeTx, nodes: Vec<Node>) -> Outcome<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = nodes.iter().map(|node| node.id).collect();
    tx.fire(HookCall::NodeCollectionDelete(&ids)).await?;
    let mut clusters = BTreeMap::new();
    for node in &nodes {
        if let Some(id) = node.cluster {
            let cluster = match clusters.remove(&id) {
                Some(cluster) => cluster,
                None => clusters::find(tx, id).await?,
            };
            tx.fire(HookCall::RemoveNodeFromCluster(node, &cluster)).await?;
            clusters.insert(id, cluster);
        }
        tx.fire(HookCall::NodeDelete(node)).await?;
    }
    for cluster in clusters.values() {
        clusters::forget_customisation(tx, cluster, &ids).await?;
    }
    Ok(store::nodes::delete(tx, &nodes).await?)
}

/// A node lost what was on it: it goes back to where it was discovered, and what it was is what it is to become again.
pub(crate) async fn reset(tx: &mut ChangeTx, before: Node) -> Outcome<()> {
    let after = Node {
        status: NodeStatus::Discover,
        progress: 0,
        pending_addition: true,
        pending_roles: before.all_roles(),
        roles: Vec::new(),
        error_type: None,
        error_msg: None,
        ..before.clone()
    };
    save(tx, &before, &after).await?;
    tx.fire(HookCall::NodeReset(&after)).await?;
    match after.cluster {
        // It was to be removed: there is nothing left of it that anybody would have to remove.
        Some(cluster) if after.pending_deletion => {
            let cluster = clusters::find(tx, cluster).await?;
            clusters::forget_customisation(tx, &cluster, &[after.id]).await?;
            membership::leave(tx, &cluster, &after).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// Writes a changed node and tells of it.
pub(crate) async fn save(tx: &mut ChangeTx, before: &Node, after: &Node) -> Outcome<()> {
    if before == after {
        return Ok(());
    }
    before.status.check(after.status)?;
    store::nodes::update(tx, before, after).await?;
    if before.status == NodeStatus::Provisioning && after.status != NodeStatus::Provisioning {
        // Until now no agent could speak there.
        store::nodes::set_timestamp(&**tx, after.id, tx.now).await?;
    }
    let change = Change::between(before, after);
    if change.is_more_than(&QUIET_FIELDS) {
        tx.fire(HookCall::NodeUpdate(after, &change)).await?;
    }
    Ok(())
}

pub(crate) async fn find(tx: &ChangeTx, id: i64) -> Outcome<Node> {
    store::nodes::find_locked(&**tx, &tx.server.domain, id).await?.ok_or_else(|| Refusal::unknown("node", id))
}

/// Nodes that nobody else changes, with their clusters, which nobody else changes either.
struct Locked {
    clusters: BTreeMap<i64, Cluster>,
    nodes: Vec<Node>,
}

/// Locks nodes, and before them their clusters, as the lock order wants it.
async fn lock(tx: &ChangeTx, ids: &[i64]) -> Outcome<Locked> {
    let mut clusters = BTreeMap::new();
    for id in store::nodes::clusters_of(&**tx, ids).await? {
        clusters.insert(id, clusters::find_locked(tx, id).await?);
    }
    let nodes = store::nodes::find_all_locked(&**tx, &tx.domain(), ids).await?;
    let known: BTreeSet<i64> = nodes.iter().map(|node| node.id).collect();
    if let Some(unknown) = ids.iter().find(|id| !known.contains(id)) {
        return Err(Refusal::unknown("node", unknown));
    }
    let is_locked = |cluster: i64| clusters.contains_key(&cluster);
    if let Some(moved) = nodes.iter().find(|node| node.cluster.is_some_and(|cluster| !is_locked(cluster))) {
        return Err(Refusal::Conflict(format!("node {} joined a cluster at the same moment; try again", moved.id)));
    }
    Ok(Locked { clusters, nodes })
}

async fn find_reporting(tx: &ChangeTx, discovery: &Discovery) -> Outcome<Node> {
    let mut macs = discovery.interface_macs().map_err(Refusal::malformed)?;
    macs.extend(discovery.mac.clone());
    if macs.is_empty() && discovery.id.is_none() {
        return Err(Refusal::malformed("neither mac nor id is given"));
    }
    let known = store::nodes::known_by(&**tx, &macs).await?;
    let by_own_mac = known.iter().find(|(mac, _)| Some(mac) == discovery.mac.as_ref());
    let id = discovery.id.or_else(|| by_own_mac.or(known.first()).map(|(_, id)| *id));
    let id = id.ok_or_else(|| Refusal::NotFound("no node has any of these mac addresses".to_owned()))?;
    find(tx, id).await
}

fn all_macs(mac: &MacAddress, discovery: &Discovery) -> Outcome<Vec<MacAddress>> {
    let mut macs = discovery.interface_macs().map_err(Refusal::malformed)?;
    macs.push(mac.clone());
    macs.sort();
    macs.dedup();
    Ok(macs)
}

async fn check_node_roles(tx: &ChangeTx, node: &Node, field: &str, roles: &[String]) -> Outcome<()> {
    let pointer = format!("/{field}");
    match node.cluster {
        Some(cluster) => {
            let release = releases::find(tx, clusters::find(tx, cluster).await?.release).await?;
            releases::check_roles(&release, roles, &pointer)
        }
        None if roles.is_empty() => Ok(()),
        None => Err(Refusal::mistakes(vec![Mistake { pointer, detail: format!("node {} is in no cluster", node.id) }])),
    }
}

/// A host name: labels of letters, digits and hyphens (RFC 1123), at most 253 characters.
fn check_hostname(hostname: &str) -> Outcome<()> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if hostname.len() <= 253 && hostname.split('.').all(label) {
        return Ok(());
    }
    let detail = format!("`{hostname}` is not a host name: letters, digits, hyphens and dots are allowed");
    Err(Refusal::mistakes(vec![Mistake { pointer: "/hostname".to_owned(), detail }]))
}

/// A host name is unique in its cluster.
pub(crate) async fn refuse_taken_hostname(tx: &ChangeTx, node: &Node) -> Outcome<()> {
    let Some(cluster) = node.cluster else { return Ok(()) };
    if store::nodes::hostname_is_taken(&**tx, cluster, &node.hostname, node.id).await? {
        return Err(Refusal::Conflict(format!("duplicate hostname '{}' in cluster {cluster}", node.hostname)));
    }
    Ok(())
}

/// `4 CPUs / 8.0 GB RAM / 0.107 TB HDD`
fn hardware(node: &Node) -> String {
    let number = |path: &[&str]| {
        let found = path
            .iter()
            .try_fold(&Value::Null, |value, key| if value.is_null() { node.meta.get(*key) } else { value.get(key) });
        found.and_then(Value::as_f64).unwrap_or_default()
    };
    let disks = node.meta.get("disks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // Without a disk the sum of floating point numbers would be a negative zero, and be shown like that.
    let bytes = disks.iter().filter_map(|disk| disk.get("size")?.as_f64()).fold(0.0, |sum, size| sum + size);
    format!(
        "{} CPUs / {:.1} GB RAM / {:.3} TB HDD",
        number(&["cpu", "total"]),
        number(&["memory", "total"]) / 1024f64.powi(3),
        bytes / 1e12
    )
}
