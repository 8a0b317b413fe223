//! Queries of releases.

use super::{Listed, Page, WriteTx, entity::release, stored, texts};
use crate::model::{Release, ReleaseState};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
};

pub(crate) async fn list(connection: &impl ConnectionTrait, page: &Page) -> Result<Listed<Release>, DbErr> {
    page.of(release::Entity::find(), release::Column::Id, connection).await?.try_map(from_row)
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<release::Entity>()
}

pub(crate) async fn find(connection: &impl ConnectionTrait, id: i64) -> Result<Option<Release>, DbErr> {
    release::Entity::find_by_id(id).one(connection).await?.map(from_row).transpose()
}

/// The release that a cluster gets when none is asked for.
pub(crate) async fn find_default(connection: &impl ConnectionTrait) -> Result<Option<Release>, DbErr> {
    release::Entity::find().filter(release::Column::Name.eq("default")).one(connection).await?.map(from_row).transpose()
}

pub(crate) async fn find_named(
    connection: &impl ConnectionTrait,
    name: &str,
    version: &str,
) -> Result<Option<Release>, DbErr> {
    let named =
        release::Entity::find().filter(release::Column::Name.eq(name)).filter(release::Column::Version.eq(version));
    named.one(connection).await?.map(from_row).transpose()
}

/// Inserts a release; its `id` is ignored.
pub(crate) async fn insert(tx: &WriteTx, release: Release) -> Result<Release, DbErr> {
    let row = release::ActiveModel { id: NotSet, ..to_row(release) };
    let release = from_row(row.insert(tx).await?)?;
    tx.journal.created(&release);
    Ok(release)
}

pub(crate) async fn update(tx: &WriteTx, before: &Release, release: Release) -> Result<Release, DbErr> {
    let release = from_row(to_row(release).update(tx).await?)?;
    if *before != release {
        tx.journal.updated(before, &release);
    }
    Ok(release)
}

fn to_row(release: Release) -> release::ActiveModel {
    release::ActiveModel {
        id: sea_orm::ActiveValue::Unchanged(release.id),
        name: Set(release.name),
        version: Set(release.version),
        description: Set(release.description),
        operating_system: Set(release.operating_system),
        state: Set(release.state.to_string()),
        roles: Set(release.roles.into()),
        extensions: Set(release.extensions.into()),
    }
}

fn from_row(row: release::Model) -> Result<Release, DbErr> {
    Ok(Release {
        id: row.id,
        name: row.name,
        version: row.version,
        description: row.description,
        operating_system: row.operating_system,
        state: stored(row.state.parse::<ReleaseState>())?,
        roles: texts(&row.roles),
        extensions: texts(&row.extensions),
    })
}
