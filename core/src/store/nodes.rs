//! Queries of nodes, of the addresses that they are known by, and of what people stored in place of their data.

use super::{
    IDS_A_STATEMENT, Listed, Page, WriteTx,
    entity::{node, node_mac},
    object, stored, texts,
};
use crate::{
    deploy::DataKind,
    model::{ErrorType, MacAddress, Node, NodeStatus, Object},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockBehavior, LockType},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Which nodes are wanted. All conditions must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeFilter {
    /// In this cluster; `Some(None)`: in none.
    pub(crate) cluster: Option<Option<i64>>,
    pub(crate) status: Option<NodeStatus>,
    pub(crate) role: Option<String>,
    pub(crate) online: Option<bool>,
}

/// What is decided about a node before it is inserted.
#[derive(Debug)]
pub(crate) struct NewNode {
    pub(crate) mac: MacAddress,
    pub(crate) ip: Option<String>,
    pub(crate) name: String,
    pub(crate) hostname: Option<String>,
    pub(crate) os_platform: Option<String>,
    pub(crate) manufacturer: Option<String>,
    pub(crate) meta: Object,
    pub(crate) attributes: Object,
    pub(crate) agent_checksum: Option<String>,
    pub(crate) now: DateTime<Utc>,
}

pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    domain: &str,
    filter: NodeFilter,
    page: &Page,
) -> Result<Listed<Node>, DbErr> {
    let mut select = node::Entity::find();
    match filter.cluster {
        Some(Some(cluster)) => select = select.filter(node::Column::ClusterId.eq(cluster)),
        Some(None) => select = select.filter(node::Column::ClusterId.is_null()),
        None => {}
    }
    if let Some(status) = filter.status {
        select = select.filter(node::Column::Status.eq(status.as_str()));
    }
    if let Some(online) = filter.online {
        select = select.filter(node::Column::Online.eq(online));
    }
    if let Some(role) = filter.role {
        let held = |column: node::Column| super::json_list_contains(connection.get_database_backend(), column, &role);
        select = select.filter(Condition::any().add(held(node::Column::Roles)).add(held(node::Column::PendingRoles)));
    }
    page.of(select, node::Column::Id, connection).await?.try_map(|row| from_row(domain, row))
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<node::Entity>()
}

pub(crate) async fn find(connection: &impl ConnectionTrait, domain: &str, id: i64) -> Result<Option<Node>, DbErr> {
    node::Entity::find_by_id(id).one(connection).await?.map(|row| from_row(domain, row)).transpose()
}

/// Reads a node and keeps others from changing it until the transaction ends.
pub(crate) async fn find_locked(
    connection: &impl ConnectionTrait,
    domain: &str,
    id: i64,
) -> Result<Option<Node>, DbErr> {
    node::Entity::find_by_id(id).lock_exclusive().one(connection).await?.map(|row| from_row(domain, row)).transpose()
}

/// The nodes with these ids, in the order of their ids; unknown ids are left out. Nobody else changes them until the
/// transaction ends.
pub(crate) async fn find_all_locked(
    connection: &impl ConnectionTrait,
    domain: &str,
    ids: &[i64],
) -> Result<Vec<Node>, DbErr> {
    let mut nodes = Vec::with_capacity(ids.len());
    // Locked in one order by everybody, so that nobody waits in a circle.
    let ids: Vec<i64> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    for ids in ids.chunks(IDS_A_STATEMENT) {
        let these = node::Entity::find().filter(node::Column::Id.is_in(ids.iter().copied()));
        for row in these.order_by_asc(node::Column::Id).lock_exclusive().all(connection).await? {
            nodes.push(from_row(domain, row)?);
        }
    }
    Ok(nodes)
}

/// The clusters that these nodes are in.
pub(crate) async fn clusters_of(connection: &impl ConnectionTrait, ids: &[i64]) -> Result<BTreeSet<i64>, DbErr> {
    let mut clusters = BTreeSet::new();
    for ids in ids.chunks(IDS_A_STATEMENT) {
        let found: Vec<Option<i64>> = node::Entity::find()
            .select_only()
            .column(node::Column::ClusterId)
            .filter(node::Column::Id.is_in(ids.iter().copied()))
            .into_tuple()
            .all(connection)
            .await?;
        clusters.extend(found.into_iter().flatten());
    }
    Ok(clusters)
}

/// The nodes of a cluster, in the order of their ids.
pub(crate) async fn of_cluster(
    connection: &impl ConnectionTrait,
    domain: &str,
    cluster: i64,
) -> Result<Vec<Node>, DbErr> {
    let rows = node::Entity::find()
        .filter(node::Column::ClusterId.eq(cluster))
        .order_by_asc(node::Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(|row| from_row(domain, row)).collect()
}

/// The extensions that nodes enable for themselves alone, by node; nodes without any are left out.
pub(crate) async fn enabled_extensions(connection: &impl ConnectionTrait) -> Result<Vec<(i64, Vec<String>)>, DbErr> {
    let rows: Vec<(i64, Value)> = node::Entity::find()
        .select_only()
        .column(node::Column::Id)
        .column(node::Column::Extensions)
        .filter(node::Column::Extensions.ne(Value::Array(Vec::new())))
        .order_by_asc(node::Column::Id)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, names)| (id, texts(&names))).collect())
}

/// How many nodes there are, and how many of them are in no cluster.
pub(crate) async fn allocation(connection: &impl ConnectionTrait) -> Result<(u64, u64), DbErr> {
    let total = node::Entity::find().count(connection).await?;
    let unallocated = node::Entity::find().filter(node::Column::ClusterId.is_null()).count(connection).await?;
    Ok((total, unallocated))
}

/// The nodes that are known by any of these addresses, their own or an interface's: each address that was met, with its node.
pub(crate) async fn known_by(
    connection: &impl ConnectionTrait,
    macs: &[MacAddress],
) -> Result<Vec<(MacAddress, i64)>, DbErr> {
    let mut known = Vec::new();
    for macs in macs.chunks(IDS_A_STATEMENT) {
        let of_these = node_mac::Column::Mac.is_in(macs.iter().map(MacAddress::as_str));
        for row in node_mac::Entity::find().filter(of_these).all(connection).await? {
            known.push((stored(row.mac.parse::<MacAddress>())?, row.node_id));
        }
    }
    known.sort();
    Ok(known)
}

/// Inserts a node. Without a host name it gets `node-<id>`.
pub(crate) async fn insert(tx: &WriteTx, domain: &str, new: NewNode) -> Result<Node, DbErr> {
    let empty_list = || Set(Value::Array(Vec::new()));
    let uuid = Uuid::now_v7();
    let row = node::ActiveModel {
        id: NotSet,
        uuid: Set(uuid),
        mac: Set(new.mac.to_string()),
        ip: Set(new.ip),
        name: Set(new.name),
        hostname: Set(new.hostname.clone().unwrap_or_else(|| uuid.to_string())),
        status: Set(NodeStatus::Discover.to_string()),
        progress: Set(0),
        online: Set(true),
        timestamp: Set(new.now),
        roles: empty_list(),
        pending_roles: empty_list(),
        pending_addition: Set(false),
        pending_deletion: Set(false),
        cluster_id: Set(None),
        group_id: Set(None),
        os_platform: Set(new.os_platform),
        manufacturer: Set(new.manufacturer),
        meta: Set(Value::Object(new.meta)),
        labels: Set(Value::Object(Object::new())),
        attributes: Set(Value::Object(new.attributes)),
        error_type: Set(None),
        error_msg: Set(None),
        extensions: empty_list(),
        agent_checksum: Set(new.agent_checksum),
        replaced_deployment_info: Set(None),
        replaced_provisioning_info: Set(None),
    };
    let mut row = row.insert(tx).await?;
    if new.hostname.is_none() {
        let hostname = format!("node-{}", row.id);
        let named = node::ActiveModel { id: Unchanged(row.id), hostname: Set(hostname.clone()), ..Default::default() };
        named.update(tx).await?;
        row.hostname = hostname;
    }
    let node = from_row(domain, row)?;
    tx.journal.created(&node);
    Ok(node)
}

/// Replaces the addresses that a node is known by.
pub(crate) async fn set_macs(connection: &impl ConnectionTrait, id: i64, macs: &[MacAddress]) -> Result<(), DbErr> {
    node_mac::Entity::delete_many().filter(node_mac::Column::NodeId.eq(id)).exec(connection).await?;
    for macs in macs.chunks(IDS_A_STATEMENT) {
        let rows = macs.iter().map(|mac| node_mac::ActiveModel { mac: Set(mac.to_string()), node_id: Set(id) });
        node_mac::Entity::insert_many(rows).exec(connection).await?;
    }
    Ok(())
}

/// Writes all that may change of a node but its customisation and the checksum of its agent. How far the work on it is, and
/// when it was heard of, is no event: reports and heartbeats would bury all others, and the tasks tell of the work.
pub(crate) async fn update(tx: &WriteTx, before: &Node, node: &Node) -> Result<(), DbErr> {
    let quietly = Node { progress: node.progress, timestamp: node.timestamp, ..before.clone() };
    if quietly != *node {
        tx.journal.updated(before, node);
    }
    let row = node::ActiveModel {
        id: Unchanged(node.id),
        ip: Set(node.ip.clone()),
        name: Set(node.name.clone()),
        hostname: Set(node.hostname.clone()),
        status: Set(node.status.to_string()),
        progress: Set(node.progress),
        online: Set(node.online),
        timestamp: Set(node.timestamp),
        roles: Set(node.roles.clone().into()),
        pending_roles: Set(node.pending_roles.clone().into()),
        pending_addition: Set(node.pending_addition),
        pending_deletion: Set(node.pending_deletion),
        cluster_id: Set(node.cluster),
        group_id: Set(node.group_id),
        os_platform: Set(node.os_platform.clone()),
        manufacturer: Set(node.manufacturer.clone()),
        meta: Set(Value::Object(node.meta.clone())),
        labels: Set(Value::Object(node.labels.clone())),
        attributes: Set(Value::Object(node.attributes.clone())),
        error_type: Set(node.error_type.map(|error_type| error_type.to_string())),
        error_msg: Set(node.error_msg.clone()),
        extensions: Set(node.extensions.clone().into()),
        ..Default::default()
    };
    row.update(tx).await.map(drop)
}

/// The checksum of the last report of a node's agent.
pub(crate) async fn agent_checksum(connection: &impl ConnectionTrait, id: i64) -> Result<Option<String>, DbErr> {
    let select = node::Entity::find_by_id(id).select_only().column(node::Column::AgentChecksum);
    Ok(select.into_tuple::<Option<String>>().one(connection).await?.flatten())
}

pub(crate) async fn set_agent_checksum(
    connection: &impl ConnectionTrait,
    id: i64,
    checksum: Option<String>,
) -> Result<(), DbErr> {
    let row = node::ActiveModel { id: Unchanged(id), agent_checksum: Set(checksum), ..Default::default() };
    row.update(connection).await.map(drop)
}

/// Whether another node than `id` has this host name in a cluster.
pub(crate) async fn hostname_is_taken(
    connection: &impl ConnectionTrait,
    cluster: i64,
    hostname: &str,
    id: i64,
) -> Result<bool, DbErr> {
    let others = node::Entity::find()
        .filter(node::Column::ClusterId.eq(cluster))
        .filter(node::Column::Hostname.eq(hostname))
        .filter(node::Column::Id.ne(id));
    Ok(others.count(connection).await? > 0)
}

/// Notes that the agent of a node was heard of, and nothing else.
pub(crate) async fn touch(tx: &WriteTx, before: &Node, now: DateTime<Utc>) -> Result<(), DbErr> {
    if !before.online {
        tx.journal.updated(before, &Node { timestamp: now, online: true, ..before.clone() });
    }
    let id = Unchanged(before.id);
    let row = node::ActiveModel { id, timestamp: Set(now), online: Set(true), ..Default::default() };
    row.update(tx).await.map(drop)
}

/// Counts the silence of a node from now on, and notes nothing else.
pub(crate) async fn set_timestamp(connection: &impl ConnectionTrait, id: i64, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = node::ActiveModel { id: Unchanged(id), timestamp: Set(now), ..Default::default() };
    row.update(connection).await.map(drop)
}

/// The nodes that are online and were not heard of since then, in the order of their ids, but for those that are being
/// provisioned: nobody speaks there. Nobody else changes them until the transaction ends, and those that somebody changes
/// just now are left out.
pub(crate) async fn silent_since(
    connection: &impl ConnectionTrait,
    domain: &str,
    since: DateTime<Utc>,
) -> Result<Vec<Node>, DbErr> {
    let silent = node::Entity::find()
        .filter(node::Column::Online.eq(true))
        .filter(node::Column::Timestamp.lte(since))
        .filter(node::Column::Status.ne(NodeStatus::Provisioning.as_str()))
        .order_by_asc(node::Column::Id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    silent.all(connection).await?.into_iter().map(|row| from_row(domain, row)).collect()
}

/// Notes that nodes cannot be reached, and nothing else.
pub(crate) async fn set_offline(tx: &WriteTx, nodes: &[Node]) -> Result<(), DbErr> {
    for nodes in nodes.chunks(IDS_A_STATEMENT) {
        for node in nodes {
            tx.journal.updated(node, &Node { online: false, ..node.clone() });
        }
        node::Entity::update_many()
            .col_expr(node::Column::Online, Expr::value(false))
            .filter(node::Column::Id.is_in(nodes.iter().map(|node| node.id)))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Notes how far the work on a node is, and nothing else.
pub(crate) async fn set_progress(connection: &impl ConnectionTrait, id: i64, progress: i32) -> Result<(), DbErr> {
    node::Entity::update_many()
        .col_expr(node::Column::Progress, Expr::value(progress))
        .filter(node::Column::Id.eq(id))
        .exec(connection)
        .await
        .map(drop)
}

pub(crate) async fn delete(tx: &WriteTx, nodes: &[Node]) -> Result<(), DbErr> {
    for nodes in nodes.chunks(IDS_A_STATEMENT) {
        for node in nodes {
            tx.journal.deleted(node);
        }
        let these = node::Column::Id.is_in(nodes.iter().map(|node| node.id));
        node::Entity::delete_many().filter(these).exec(tx).await?;
    }
    Ok(())
}

/// The documents that people stored in place of the generated ones, by node.
pub(crate) async fn replaced_info(
    connection: &impl ConnectionTrait,
    cluster: i64,
    kind: DataKind,
) -> Result<BTreeMap<i64, Object>, DbErr> {
    let column = replaced_column(kind);
    let rows: Vec<(i64, Option<Value>)> = node::Entity::find()
        .select_only()
        .column(node::Column::Id)
        .column(column)
        .filter(node::Column::ClusterId.eq(cluster))
        .filter(column.is_not_null())
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().filter_map(|(id, document)| Some((id, object(document?)))).collect())
}

/// Stores a document in place of the generated one of a node, or (`None`) lets it be generated again.
pub(crate) async fn set_replaced_info(
    connection: &impl ConnectionTrait,
    ids: &[i64],
    kind: DataKind,
    document: Option<Object>,
) -> Result<(), DbErr> {
    let document = document.map(Value::Object);
    for ids in ids.chunks(IDS_A_STATEMENT) {
        node::Entity::update_many()
            .col_expr(replaced_column(kind), Expr::value(document.clone()))
            .filter(node::Column::Id.is_in(ids.iter().copied()))
            .exec(connection)
            .await?;
    }
    Ok(())
}

fn replaced_column(kind: DataKind) -> node::Column {
    match kind {
        DataKind::Deployment => node::Column::ReplacedDeploymentInfo,
        DataKind::Provisioning => node::Column::ReplacedProvisioningInfo,
    }
}

/// `hostname` in `domain`; a host name that has a domain of its own keeps it.
pub(crate) fn fqdn(hostname: &str, domain: &str) -> String {
    if hostname.contains('.') || domain.is_empty() { hostname.to_owned() } else { format!("{hostname}.{domain}") }
}

/// The name of a node with these attributes. What is sent and what is shown agree: a name that people set is the name.
pub(crate) fn fqdn_of(attributes: &Object, hostname: &str, domain: &str) -> String {
    match attributes.get("fqdn").and_then(Value::as_str) {
        Some(set) => set.to_owned(),
        None => fqdn(hostname, domain),
    }
}

fn from_row(domain: &str, row: node::Model) -> Result<Node, DbErr> {
    let attributes = object(row.attributes);
    Ok(Node {
        id: row.id,
        uuid: row.uuid,
        mac: stored(row.mac.parse::<MacAddress>())?,
        ip: row.ip,
        name: row.name,
        fqdn: fqdn_of(&attributes, &row.hostname, domain),
        hostname: row.hostname,
        status: stored(row.status.parse::<NodeStatus>())?,
        progress: row.progress,
        online: row.online,
        timestamp: row.timestamp,
        roles: texts(&row.roles),
        pending_roles: texts(&row.pending_roles),
        pending_addition: row.pending_addition,
        pending_deletion: row.pending_deletion,
        cluster: row.cluster_id,
        group_id: row.group_id,
        os_platform: row.os_platform,
        manufacturer: row.manufacturer,
        meta: object(row.meta),
        labels: object(row.labels),
        attributes,
        error_type: row.error_type.map(|error_type| stored(error_type.parse::<ErrorType>())).transpose()?,
        error_msg: row.error_msg,
        extensions: texts(&row.extensions),
    })
}
