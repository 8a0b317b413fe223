//! Releases are made and changed.

use super::ChangeTx;
use crate::{
    error::{Mistake, Outcome, Refusal},
    model::{Release, ReleaseState, without_repetition},
    store,
};
use serde::Deserialize;

/// A release to be made: the body of `POST /releases`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseInput {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    operating_system: String,
    #[serde(default = "available")]
    state: ReleaseState,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    extensions: Vec<String>,
}

/// What may change of a release: the body of `PUT /releases/{id}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReleaseUpdate {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
    operating_system: Option<String>,
    state: Option<ReleaseState>,
    roles: Option<Vec<String>>,
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
    Ok(store::releases::insert(&**tx, release).await?)
}

pub(crate) async fn update(tx: &mut ChangeTx, id: i64, update: ReleaseUpdate) -> Outcome<Release> {
    let release = find(tx, id).await?;
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
    Ok(store::releases::update(&**tx, release).await?)
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
