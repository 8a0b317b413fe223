//! Clusters are made, changed and deleted.

use super::{ChangeTx, groups, membership, nodes, releases};
use crate::{
    deploy::DataKind,
    error::{Mistake, Outcome, Refusal},
    extension::HookCall,
    model::{
        Change, Cluster, ClusterStatus, Customisation, Node, NodeStatus, Object, Release, ReleaseState, Subject, Work,
    },
    store::{self, NewCluster},
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A cluster to be made: the body of `POST /clusters`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterInput {
    /// Its name, unique.
    pub(crate) name: String,
    /// The id of its release; `default` when absent.
    #[serde(default)]
    pub(crate) release: Option<i64>,
    /// What its deployment data are made of.
    #[serde(default)]
    pub(crate) attributes: Object,
    /// The name of the orchestrator that works on its nodes; `local` when absent.
    #[serde(default)]
    pub(crate) orchestrator: Option<String>,
    /// The ids of nodes that are in it from the start, without roles.
    #[serde(default)]
    pub(crate) nodes: Vec<i64>,
}

/// What may change of a cluster: the body of `PUT /clusters/{id}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClusterUpdate {
    /// Its name, unique.
    name: Option<String>,
    /// The id of its release.
    release: Option<i64>,
    /// The name of the orchestrator that works on its nodes.
    orchestrator: Option<String>,
    /// The ids of all nodes that are to be in it: others leave.
    nodes: Option<Vec<i64>>,
}

const NAME_LENGTH: usize = 100;

pub(crate) async fn create(tx: &mut ChangeTx, input: ClusterInput) -> Outcome<Cluster> {
    let release = match input.release {
        Some(id) => releases::find(tx, id).await?,
        None => store::releases::find_default(&**tx).await?.ok_or_else(|| {
            Refusal::NotFound(
                "there is no release named `default` any more: say which one the cluster is made of".to_owned(),
            )
        })?,
    };
    if release.state != ReleaseState::Available {
        return Err(Refusal::Conflict(format!("release {} {} is {}", release.name, release.version, release.state)));
    }
    let name = check_name(tx, input.name, None).await?;
    let orchestrator = check_orchestrator(tx, input.orchestrator.unwrap_or_else(|| "local".to_owned()))?;
    let Release { id: release, extensions, .. } = release;
    let new = NewCluster { name, release, orchestrator, extensions, attributes: input.attributes, created_at: tx.now };
    let cluster = store::clusters::insert(tx, new).await?;
    tx.fire(HookCall::ClusterCreate(&cluster)).await?;
    groups::create_default(tx, &cluster).await?;
    tx.fire_for(&cluster.extensions, HookCall::ExtensionEnable(&cluster)).await?;
    membership::assign_all(tx, &cluster, &input.nodes).await?;
    find(tx, cluster.id).await
}

pub(crate) async fn update(tx: &mut ChangeTx, id: i64, update: ClusterUpdate) -> Outcome<Cluster> {
    let before = find_locked(tx, id).await?;
    let mut after = before.clone();
    if let Some(name) = update.name {
        after.name = check_name(tx, name, Some(id)).await?;
    }
    if let Some(release) = update.release {
        after.release = releases::find(tx, release).await?.id;
    }
    if let Some(orchestrator) = update.orchestrator {
        after.orchestrator = check_orchestrator(tx, orchestrator)?;
    }
    save(tx, &before, &after).await?;
    if let Some(nodes) = update.nodes {
        membership::replace(tx, &after, &nodes).await?;
    }
    find(tx, id).await
}

/// Writes a changed cluster and tells of it.
pub(crate) async fn save(tx: &mut ChangeTx, before: &Cluster, after: &Cluster) -> Outcome<()> {
    if before == after {
        return Ok(());
    }
    before.status.check(after.status)?;
    store::clusters::update(tx, before, after).await?;
    tx.fire(HookCall::ClusterUpdate(after, &Change::between(before, after))).await
}

/// Moves a cluster, which is locked, to another status.
pub(crate) async fn save_status(tx: &mut ChangeTx, before: &Cluster, status: ClusterStatus) -> Outcome<()> {
    save(tx, before, &Cluster { status, ..before.clone() }).await
}

/// Shows in a cluster, which is locked, what came of work that ended well, or (`None`) that it did not come about.
pub(crate) async fn settle(tx: &mut ChangeTx, id: i64, work: Option<Work>) -> Outcome<()> {
    let before = find(tx, id).await?;
    let members = store::nodes::of_cluster(&**tx, &tx.domain(), id).await?;
    let status = ClusterStatus::after(work, members.iter().map(|node| node.status));
    if !before.status.may_become(status) {
        // Other work on it has ended in between, and said what it is.
        return Ok(());
    }
    let mut after = Cluster { status, ..before.clone() };
    match work {
        Some(Work::Reset) => after.changes = ALL_CHANGES.map(str::to_owned).into(),
        // What was in the data did not reach all nodes.
        Some(Work::Deployment) if status != ClusterStatus::Operational => {
            note(&mut after, &ALL_CHANGES);
        }
        _ => {}
    }
    save(tx, &before, &after).await
}

/// Notes what changed of a cluster since its last deployment.
pub(crate) async fn note_changes(tx: &mut ChangeTx, id: i64, changes: &[&str]) -> Outcome<()> {
    let before = find(tx, id).await?;
    let mut after = before.clone();
    note(&mut after, changes);
    save(tx, &before, &after).await
}

/// Everything that can have changed of a cluster since its last deployment.
pub(crate) const ALL_CHANGES: [&str; 2] = ["attributes", "nodes"];

fn note(cluster: &mut Cluster, changes: &[&str]) {
    for change in changes {
        if !cluster.changes.iter().any(|known| known == change) {
            cluster.changes.push((*change).to_owned());
        }
    }
}

/// What changed of a cluster, which is locked, is in the data of a deployment.
pub(crate) async fn forget_changes(tx: &mut ChangeTx, id: i64) -> Outcome<()> {
    let before = find(tx, id).await?;
    save(tx, &before, &Cluster { changes: Vec::new(), ..before.clone() }).await
}

/// Deletes a cluster, which is locked, out of the model: nodes that nothing was done to leave it, the others are deleted with
/// it, as `removed` were before. What became of them, for people.
pub(crate) async fn erase(tx: &mut ChangeTx, cluster: &Cluster, removed: usize) -> Outcome<String> {
    let members = store::nodes::of_cluster(&**tx, &tx.domain(), cluster.id).await?;
    let ids: Vec<i64> = members.iter().map(|node| node.id).collect();
    let members = store::nodes::find_all_locked(&**tx, &tx.domain(), &ids).await?;
    let (untouched, used): (Vec<Node>, Vec<Node>) =
        members.into_iter().partition(|node| node.status == NodeStatus::Discover);
    let (free, deleted) = (untouched.len(), removed + used.len());
    forget_customisation(tx, cluster, &ids).await?;
    for node in &untouched {
        membership::leave(tx, cluster, node).await?;
    }
    nodes::erase(tx, used).await?;
    groups::delete_with(tx, cluster).await?;
    // What was wanted for its nodes went with them.
    let cluster = &find(tx, cluster.id).await?;
    tx.fire(HookCall::ClusterDelete(cluster)).await?;
    store::clusters::delete(tx, cluster).await?;
    Ok(format!("cluster '{}' is deleted, {free} of its nodes are free again, {deleted} are deleted", cluster.name))
}

/// Replaces the attributes of a cluster.
pub(crate) async fn set_attributes(tx: &mut ChangeTx, id: i64, attributes: Object) -> Outcome<Object> {
    find_locked(tx, id).await?;
    let old = store::clusters::attributes(&**tx, id).await?;
    let change = Change::between(&old, &attributes);
    if !change.is_more_than(&[]) {
        return Ok(attributes);
    }
    store::clusters::set_attributes(tx, id, &old, attributes.clone()).await?;
    note_changes(tx, id, &["attributes"]).await?;
    let after = find(tx, id).await?;
    tx.fire(HookCall::ClusterPatchAttributes(&after, &change)).await?;
    Ok(attributes)
}

/// Changes the attributes of a cluster by a JSON merge patch (RFC 7396).
pub(crate) async fn patch_attributes(tx: &mut ChangeTx, id: i64, patch: Object) -> Outcome<Object> {
    find_locked(tx, id).await?;
    let mut attributes = Value::Object(store::clusters::attributes(&**tx, id).await?);
    json_patch::merge(&mut attributes, &Value::Object(patch));
    let Value::Object(attributes) = attributes else { return Err(Refusal::malformed("attributes are an object")) };
    set_attributes(tx, id, attributes).await
}

/// Stores what a person wants in place of generated data; what was stored before is forgotten.
pub(crate) async fn customise(tx: &mut ChangeTx, id: i64, kind: DataKind, wanted: Customisation) -> Outcome<()> {
    let before = find_locked(tx, id).await?;
    let domain = tx.domain();
    let members: Vec<i64> = store::nodes::of_cluster(&**tx, &domain, id).await?.iter().map(|node| node.id).collect();
    let strangers = wanted.nodes.keys().filter(|id| !members.contains(id));
    let mistakes: Vec<Mistake> = strangers
        .map(|node| Mistake {
            pointer: format!("/nodes/{node}"),
            detail: format!("node {node} is not in cluster {id}"),
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(Refusal::mistakes(mistakes));
    }
    let replaced = customisation(&**tx, id, kind).await?;
    if replaced != wanted {
        let told = |customisation: &Customisation| json!({"kind": kind.as_str(), "customisation": customisation});
        tx.journal.tell(Cluster::TYPE, "customise", id.to_string(), &told(&wanted), Some(&told(&replaced)));
    }
    store::clusters::set_replaced_info(&**tx, id, kind, wanted.common).await?;
    store::nodes::set_replaced_info(&**tx, &members, kind, None).await?;
    for (node, document) in wanted.nodes {
        store::nodes::set_replaced_info(&**tx, &[node], kind, Some(document)).await?;
    }
    let mut is_customized = false;
    for kind in DataKind::ALL {
        is_customized |= customisation(&**tx, id, kind).await? != Customisation::default();
    }
    save(tx, &before, &Cluster { is_customized, ..before.clone() }).await
}

/// Forgets what people want in place of the data generated for nodes that leave a cluster, which is locked.
pub(super) async fn forget_customisation(tx: &mut ChangeTx, cluster: &Cluster, leaving: &[i64]) -> Outcome<()> {
    if !cluster.is_customized {
        return Ok(());
    }
    for kind in DataKind::ALL {
        let mut wanted = customisation(&**tx, cluster.id, kind).await?;
        let count = wanted.nodes.len();
        wanted.nodes.retain(|node, _| !leaving.contains(node));
        if wanted.nodes.len() < count {
            customise(tx, cluster.id, kind, wanted).await?;
        }
    }
    Ok(())
}

/// What is stored in place of generated data.
pub(crate) async fn customisation(
    connection: &impl sea_orm::ConnectionTrait,
    id: i64,
    kind: DataKind,
) -> Outcome<Customisation> {
    let common = store::clusters::replaced_info(connection, id, kind).await?;
    let nodes = store::nodes::replaced_info(connection, id, kind).await?;
    Ok(Customisation { common, nodes })
}

pub(crate) async fn find(tx: &ChangeTx, id: i64) -> Outcome<Cluster> {
    store::clusters::find(&**tx, id).await?.ok_or_else(|| Refusal::unknown("cluster", id))
}

pub(crate) async fn find_locked(tx: &ChangeTx, id: i64) -> Outcome<Cluster> {
    store::clusters::find_locked(&**tx, id).await?.ok_or_else(|| Refusal::unknown("cluster", id))
}

pub(crate) async fn refuse_while_a_task_runs(tx: &ChangeTx, cluster: &Cluster) -> Outcome<()> {
    match store::tasks::unfinished_in(&**tx, cluster.id).await?.first() {
        None => Ok(()),
        Some(task) => Err(Refusal::Conflict(format!(
            "task {} ({}) is {} in cluster '{}'; wait until it has ended",
            task.id, task.name, task.status, cluster.name
        ))),
    }
}

async fn check_name(tx: &ChangeTx, name: String, own: Option<i64>) -> Outcome<String> {
    if name.trim().is_empty() || name.chars().count() > NAME_LENGTH {
        let detail = format!("the name of a cluster has 1 to {NAME_LENGTH} characters");
        return Err(Refusal::mistakes(vec![Mistake { pointer: "/name".to_owned(), detail }]));
    }
    match store::clusters::find_named(&**tx, &name).await? {
        Some(other) if Some(other.id) != own => {
            Err(Refusal::Conflict(format!("a cluster named '{name}' already exists")))
        }
        _ => Ok(name),
    }
}

fn check_orchestrator(tx: &ChangeTx, name: String) -> Outcome<String> {
    if tx.server.orchestrators.contains_key(name.as_str()) {
        return Ok(name);
    }
    let known = tx.server.orchestrators.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let detail = format!("there is no orchestrator `{name}`; known are: {known}");
    Err(Refusal::mistakes(vec![Mistake { pointer: "/orchestrator".to_owned(), detail }]))
}
