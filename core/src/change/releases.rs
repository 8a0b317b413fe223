//! Releases are made and changed.

use super::ChangeTx;
use crate::{
    error::{Mistake, Outcome, Refusal},
    model::{Release, ReleaseState, without_repetition},
    store,
};
use serde::Deserialize;
use utoipa::ToSchema;

/// A release to be made: the body of `POST /releases`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseInput {
    /// Its name, unique together with the version.
    name: String,
    /// Its version, in whatever form the operator counts.
    version: String,
    /// What it is, for people.
    #[serde(default)]
    description: String,
    /// The operating system that its nodes run.
    #[serde(default)]
    operating_system: String,
    /// Whether clusters can be made of it; `available` when absent.
    #[serde(default = "available")]
    state: ReleaseState,
    /// The roles that its nodes may have; when empty, any.
    #[serde(default)]
    roles: Vec<String>,
    /// The extensions that a new cluster has enabled.
    #[serde(default)]
    extensions: Vec<String>,
}

/// What may change of a release: the body of `PUT /releases/{id}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReleaseUpdate {
    /// Its name, unique together with the version.
    name: Option<String>,
    /// Its version.
    version: Option<String>,
    /// What it is, for people.
    description: Option<String>,
    /// The operating system that its nodes run.
    operating_system: Option<String>,
    /// Whether clusters can be made of it.
    state: Option<ReleaseState>,
    /// The roles that its nodes may have; when empty, any.
    roles: Option<Vec<String>>,
    /// The extensions that a new cluster has enabled.
    extensions: Option<Vec<String>>,
}

fn available() -> ReleaseState {
    ReleaseState::Available
}

pub(crate) async fn create(tx: &mut ChangeTx, input: ReleaseInput) -> Outcome<Release> {
    let release = Release {
        id: 0,
        name: input.name,
        version: input.version,
        description: input.description,
        operating_system: input.operating_system,
        state: input.state,
        roles: without_repetition(input.roles),
        extensions: input.extensions,
    };
    let release = checked(tx, release, &[]).await?;
    Ok(store::releases::insert(tx, release).await?)
}

pub(crate) async fn update(tx: &mut ChangeTx, id: i64, update: ReleaseUpdate) -> Outcome<Release> {
    let before = find(tx, id).await?;
    let release = before.clone();
    let enabled_already = release.extensions.clone();
    let release = Release {
        id,
        name: update.name.unwrap_or(release.name),
        version: update.version.unwrap_or(release.version),
        description: update.description.unwrap_or(release.description),
        operating_system: update.operating_system.unwrap_or(release.operating_system),
        state: update.state.unwrap_or(release.state),
        roles: update.roles.map_or(release.roles, without_repetition),
        extensions: update.extensions.unwrap_or(release.extensions),
    };
    let release = checked(tx, release, &enabled_already).await?;
    Ok(store::releases::update(tx, &before, release).await?)
}

pub(crate) async fn find(tx: &ChangeTx, id: i64) -> Outcome<Release> {
    store::releases::find(&**tx, id).await?.ok_or_else(|| Refusal::unknown("release", id))
}

/// Refuses roles that a release does not know.
pub(crate) fn check_roles(release: &Release, roles: &[String], pointer: &str) -> Outcome<()> {
    let unknown = release.unknown_roles(roles);
    if unknown.is_empty() {
        return Ok(());
    }
    let (unknown, known) = (unknown.join(", "), release.roles.join(", "));
    let detail =
        format!("{unknown} are not roles of release {} {}, which knows: {known}", release.name, release.version);
    Err(Refusal::mistakes(vec![Mistake { pointer: pointer.to_owned(), detail }]))
}

async fn checked(tx: &ChangeTx, mut release: Release, enabled_already: &[String]) -> Outcome<Release> {
    if release.name.trim().is_empty() || release.version.trim().is_empty() {
        return Err(Refusal::malformed("a release needs a name and a version"));
    }
    super::enabling::check_known(tx, &release.extensions, enabled_already)?;
    release.extensions = tx.server.registry.in_order(release.extensions);
    match store::releases::find_named(&**tx, &release.name, &release.version).await? {
        Some(other) if other.id != release.id => {
            Err(Refusal::Conflict(format!("release {} {} already exists", release.name, release.version)))
        }
        _ => Ok(release),
    }
}
