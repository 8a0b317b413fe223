//! `/extensions`, and those of a cluster.

use super::{
    App, clusters,
    extract::{Id, Json, Query},
    openapi::Resource,
    respond::{Answer, NoContent, Whole},
    subscriptions::{self, ExtensionSubscription},
    templates,
};
use crate::{
    change::{Tolerance, enabling},
    error::Refusal,
    extension::UrlEntry,
    model::Role,
    registry::{ExtensionStatus, Loaded, ShownTask},
    server::Server,
    store::{self, Ledger, MigrationState},
};
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("extensions", "The extensions of this build, and those of a cluster.")
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(enabled, enable, disable))
}

/// An extension of this build, or one that is enabled somewhere and that this build lacks.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Extension {
    Linked(Box<LinkedExtension>),
    Missing(MissingExtension),
}

/// An extension of this build.
#[derive(Serialize, ToSchema)]
struct LinkedExtension {
    /// Its name.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// What it does, in a line.
    description: &'static str,
    /// Where to read more.
    url: &'static str,
    /// The package that it comes from.
    #[serde(rename = "crate")]
    krate: &'static str,
    /// Lower runs earlier, where nothing else decides.
    priority: i32,
    /// Extensions that come before it.
    after: &'static [&'static str],
    /// Extensions that come before it, in a version that fits.
    requires: &'static [&'static str],
    /// The hooks that it has.
    hooks: Vec<&'static str>,
    /// Its URLs.
    urls: Vec<ExtensionUrl>,
    /// Its pipelines, in the order in which they run.
    pipelines: Vec<ExtensionPipeline>,
    /// Where its tables stand.
    migrations: ExtensionMigrations,
    /// What it offers to others.
    provides: Vec<&'static str>,
    /// The events that it hears of, and how far it has.
    subscriptions: Vec<ExtensionSubscription>,
    /// How it is.
    status: ExtensionStatus,
    /// Why it is so.
    reason: Option<String>,
    /// Whether the server does not start without it.
    required: bool,
    /// Its background work, in the order in which it was begun.
    background: Vec<ShownTask>,
    /// The ids of the clusters that it is enabled for.
    enabled_by: Vec<i64>,
    /// The ids of the nodes that it is enabled for alone.
    enabled_by_nodes: Vec<i64>,
}

/// An extension that is enabled for a cluster or a node, or has tables or subscriptions in the database, but is not in this
/// build or not active.
#[derive(Serialize, ToSchema)]
struct MissingExtension {
    /// Its name.
    name: String,
    /// `missing`
    status: &'static str,
    /// Why it is so.
    reason: &'static str,
    /// What of it the database has.
    migrations: ExtensionMigrations,
    /// The events that it would hear of, and how far it has.
    subscriptions: Vec<ExtensionSubscription>,
    /// The ids of the clusters that it is enabled for.
    enabled_by: Vec<i64>,
    /// The ids of the nodes that it is enabled for alone.
    enabled_by_nodes: Vec<i64>,
}

/// A URL of an extension.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExtensionUrl {
    /// The regular expression that the path below `/api/v1` matches.
    pattern: &'static str,
    /// The paths that match it, as templates.
    paths: Vec<String>,
    /// The role that a caller needs, by method.
    methods: BTreeMap<String, Role>,
}

impl ExtensionUrl {
    pub(crate) fn of(url: &UrlEntry) -> Self {
        let paths = templates(url.pattern).into_iter().map(|template| template.path).collect();
        let methods = url.methods.roles().map(|(method, role)| (method.to_string(), role)).collect();
        Self { pattern: url.pattern, paths, methods }
    }
}

/// A pipeline of an extension.
#[derive(Serialize, ToSchema)]
struct ExtensionPipeline {
    /// Its name.
    name: &'static str,
    /// The stages that it has.
    stages: &'static [&'static str],
}

/// The migrations of an extension, by name.
#[derive(Serialize, ToSchema)]
struct ExtensionMigrations {
    /// Those that are applied.
    applied: Vec<String>,
    /// Those that are not.
    pending: Vec<String>,
}

impl Extension {
    fn name(&self) -> &str {
        match self {
            Self::Linked(extension) => extension.name,
            Self::Missing(extension) => &extension.name,
        }
    }
}

/// Lists the extensions of this build in the total order, and those that are enabled somewhere and that this build lacks.
#[utoipa::path(get, path = "/extensions")]
async fn list(State(server): App) -> Answer<Whole<Extension>> {
    Ok(Whole(describe_all(&server).await?))
}

/// Shows an extension.
#[utoipa::path(get, path = "/extensions/{name}", params(("name" = String, Path, description = "The name of the extension.")))]
async fn show(State(server): App, Path(name): Path<String>) -> Answer<Json<Extension>> {
    let found = describe_all(&server).await?.into_iter().find(|extension| extension.name() == name);
    Ok(Json(found.ok_or_else(|| Refusal::NotFound(format!("no such extension: {name}")))?))
}

/// Who enables an extension: the ids of clusters, and of nodes that do so for themselves alone.
#[derive(Default)]
struct EnabledBy {
    clusters: Vec<i64>,
    nodes: Vec<i64>,
}

impl EnabledBy {
    async fn read(server: &Server) -> Answer<BTreeMap<String, Self>> {
        let mut enabled_by = BTreeMap::<String, Self>::new();
        for (cluster, names) in store::clusters::enabled_extensions(server.store.reader()).await? {
            for name in names {
                enabled_by.entry(name).or_default().clusters.push(cluster);
            }
        }
        for (node, names) in store::nodes::enabled_extensions(server.store.reader()).await? {
            for name in names {
                enabled_by.entry(name).or_default().nodes.push(node);
            }
        }
        Ok(enabled_by)
    }
}

/// All extensions in the total order; after them, by name, those that are enabled somewhere and that this build lacks.
async fn describe_all(server: &Server) -> Answer<Vec<Extension>> {
    let mut enabled_by = EnabledBy::read(server).await?;
    let mut subscriptions = subscriptions::read_all(server).await?;
    let ledger = server.store.ledger().await?;
    let mut described = Vec::new();
    for loaded in server.registry.iter() {
        let enabled_by = enabled_by.remove(loaded.metadata.name).unwrap_or_default();
        let subscriptions = subscriptions.remove(loaded.metadata.name).unwrap_or_default();
        described.push(Extension::Linked(Box::new(describe(server, &ledger, loaded, enabled_by, subscriptions).await)));
    }
    for orphan in ledger.orphans(server.registry.iter().map(|loaded| loaded.metadata.name)) {
        enabled_by.entry(orphan).or_default();
    }
    for extension in subscriptions.keys() {
        enabled_by.entry(extension.clone()).or_default();
    }
    described.extend(enabled_by.into_iter().map(|(name, EnabledBy { clusters, nodes })| {
        let is_enabled = !(clusters.is_empty() && nodes.is_empty());
        let reason = match (is_enabled, server.registry.is_inactive(&name)) {
            (true, true) => "enabled for a cluster or a node, but not active; the settings choose what is",
            (true, false) => "enabled for a cluster or a node, but not in this build",
            (false, true) => {
                "the database has migrations or subscriptions of it, but it is not active; the settings choose what is"
            }
            (false, false) => "the database has migrations or subscriptions of it, but it is not in this build",
        };
        Extension::Missing(MissingExtension {
            migrations: ExtensionMigrations { applied: ledger.applied(&name), pending: Vec::new() },
            subscriptions: subscriptions.remove(&name).unwrap_or_default(),
            name,
            status: "missing",
            reason,
            enabled_by: clusters,
            enabled_by_nodes: nodes,
        })
    }));
    Ok(described)
}

async fn describe(
    server: &Server,
    ledger: &Ledger,
    loaded: &Loaded,
    enabled_by: EnabledBy,
    subscriptions: Vec<ExtensionSubscription>,
) -> LinkedExtension {
    let metadata = loaded.metadata;
    let health = loaded.condition.health(server.clock.now());
    let states = server.store.states(ledger, &loaded.migrator()).await;
    let pending = |state: MigrationState| state == MigrationState::Pending;
    let migrations = |wanted: &dyn Fn(MigrationState) -> bool| -> Vec<String> {
        states.iter().filter(|(_, state)| wanted(*state)).map(|(name, _)| name.clone()).collect()
    };
    let pipelines = loaded.pipelines.iter().map(|pipeline| pipeline.metadata());
    LinkedExtension {
        name: metadata.name,
        version: metadata.version,
        description: metadata.description,
        url: metadata.url,
        krate: metadata.krate,
        priority: metadata.priority,
        after: metadata.after,
        requires: metadata.requires,
        hooks: metadata.hooks().collect(),
        urls: loaded.urls.iter().map(ExtensionUrl::of).collect(),
        pipelines: pipelines
            .map(|metadata| ExtensionPipeline { name: metadata.name, stages: metadata.overrides })
            .collect(),
        migrations: ExtensionMigrations {
            applied: migrations(&|state| !pending(state)),
            pending: migrations(&pending),
        },
        provides: loaded.provided.iter().map(|provided| provided.called.name()).collect(),
        subscriptions,
        status: health.status,
        reason: health.reason,
        required: loaded.is_required,
        background: loaded.background.shown(),
        enabled_by: enabled_by.clusters,
        enabled_by_nodes: enabled_by.nodes,
    }
}

/// Lists the extensions that are enabled for a cluster, in the total order.
#[utoipa::path(get, path = "/clusters/{id}/extensions")]
async fn enabled(State(server): App, Id(id): Id) -> Answer<Whole<String>> {
    let cluster = clusters::find(&server, id).await?;
    Ok(Whole(server.registry.in_order(cluster.extensions)))
}

/// Enables extensions for a cluster, beside those that are.
#[utoipa::path(put, path = "/clusters/{id}/extensions")]
async fn enable(State(server): App, Id(id): Id, Json(names): Json<Vec<String>>) -> Answer<Whole<String>> {
    let mut tx = server.change(Tolerance::Strict).await?;
    let enabled = enabling::enable(&mut tx, id, names).await?;
    tx.commit().await?;
    Ok(Whole(enabled))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The names of the extensions, with commas between them.
    #[param(value_type = Vec<String>, style = Form, explode = false)]
    extension_names: String,
}

/// Disables extensions for a cluster.
#[utoipa::path(delete, path = "/clusters/{id}/extensions", params(Which))]
async fn disable(State(server): App, Id(id): Id, Query(which): Query<Which>) -> Answer<NoContent> {
    let names: Vec<String> = which.extension_names.split(',').map(str::trim).map(str::to_owned).collect();
    let mut tx = server.change(Tolerance::Strict).await?;
    enabling::disable(&mut tx, id, &names).await?;
    tx.commit().await?;
    Ok(NoContent)
}
