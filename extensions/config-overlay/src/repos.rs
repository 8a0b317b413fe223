//! Where the overlays of each cluster lie: the table, and the URLs that change it.

use crate::{ConfigOverlay, files};
use rivetgun::prelude::{
    Json, // and not the column type of that name
    sea_orm::{ActiveValue::Set, IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*},
    *,
};
use serde::{Deserialize, Serialize};
use std::path::{Component, Path as FilePath};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize)]
#[sea_orm(table_name = "config_overlay_repos")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(unique)]
    pub repo_name: String,
    /// The id of the cluster, under the name that it has in Nailgun's API.
    #[sea_orm(unique)]
    pub env_id: i64,
    /// A directory, from the root of the settings.
    pub path: String,
    /// What of a git working copy is read, in place of its files as they lie there.
    #[serde(rename = "ref")]
    pub git_ref: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// What people say of a repo.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repo {
    repo_name: String,
    env_id: i64,
    path: String,
    #[serde(default, rename = "ref")]
    git_ref: Option<String>,
}

/// All repos, in the order of their ids.
pub(crate) async fn list(cx: ExtensionContext) -> Result<Json<Vec<Model>>> {
    Ok(Json(Entity::find().order_by_asc(Column::Id).all(cx.db()).await?))
}

/// One repo.
pub(crate) async fn show(cx: ExtensionContext, Path(id): Path<i64>) -> Result<Json<Model>> {
    Ok(Json(Entity::find_by_id(id).one(cx.db()).await?.ok_or_else(|| missing(id))?))
}

/// Says where the overlays of a cluster lie.
pub(crate) async fn create(cx: ExtensionContext, Json(repo): Json<Repo>) -> Result<(StatusCode, Json<Model>)> {
    repo.check()?;
    files::check_root(cx.settings::<ConfigOverlay>()).await?;
    let tx = cx.transaction().await?;
    if tx.lock_cluster(repo.env_id).await?.is_none() {
        return Err(Error::mistakes([("/env_id", "Invalid cluster ID")]));
    }
    if let Some(other) = of_cluster(&tx, repo.env_id).await? {
        let Model { id, repo_name, .. } = other;
        return Err(Error::conflict(format!(
            "cluster {} has the repo '{repo_name}' already: change that (PUT /config_overlay/repos/{id})",
            repo.env_id
        )));
    }
    refuse_taken(&tx, &repo.repo_name, None).await?;
    let Repo { repo_name, env_id, path, git_ref } = repo;
    let row = ActiveModel {
        repo_name: Set(repo_name),
        env_id: Set(env_id),
        path: Set(path),
        git_ref: Set(git_ref),
        ..Default::default()
    };
    let row = row.insert(&*tx).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(row)))
}

/// Replaces a repo, which stays that of its cluster.
pub(crate) async fn replace(cx: ExtensionContext, Path(id): Path<i64>, Json(repo): Json<Repo>) -> Result<Json<Model>> {
    repo.check()?;
    let tx = cx.transaction().await?;
    // Locked, since it goes with its cluster, which may be just now.
    let row = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?.ok_or_else(|| missing(id))?;
    if repo.env_id != row.env_id {
        return Err(Error::mistakes([("/env_id", "Changing 'env_id' for git repo is prohibited")]));
    }
    refuse_taken(&tx, &repo.repo_name, Some(id)).await?;
    let mut row = row.into_active_model();
    row.repo_name = Set(repo.repo_name);
    row.path = Set(repo.path);
    row.git_ref = Set(repo.git_ref);
    let row = row.update(&*tx).await?;
    tx.commit().await?;
    Ok(Json(row))
}

/// Forgets a repo: its cluster has no overlays then. Its files stay.
pub(crate) async fn delete(cx: ExtensionContext, Path(id): Path<i64>) -> Result<StatusCode> {
    let tx = cx.transaction().await?;
    let deleted = Entity::delete_by_id(id).exec(&*tx).await?;
    tx.commit().await?;
    if deleted.rows_affected == 0 { Err(missing(id)) } else { Ok(StatusCode::NO_CONTENT) }
}

/// The repo of a cluster.
pub(crate) async fn of_cluster(db: &Db, cluster: i64) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::EnvId.eq(cluster)).one(db).await?)
}

/// Forgets the repo of a cluster that goes.
pub(crate) async fn forget(db: &Db, cluster: i64) -> Result<()> {
    Entity::delete_many().filter(Column::EnvId.eq(cluster)).exec(db).await?;
    Ok(())
}

/// Names are unique; the repo `own` may keep its name.
async fn refuse_taken(db: &Db, name: &str, own: Option<i64>) -> Result<()> {
    let named = Entity::find().filter(Column::RepoName.eq(name)).one(db).await?;
    match named {
        Some(other) if Some(other.id) != own => {
            Err(Error::conflict(format!("repo {} is called '{name}' already: choose another name", other.id)))
        }
        _ => Ok(()),
    }
}

fn missing(id: i64) -> Error {
    Error::not_found(format!("repo {id} does not exist"))
}

impl Repo {
    /// Tells everything that is wrong with it at once. Whether its files are there shows when they are read.
    fn check(&self) -> Result<()> {
        let mut mistakes = Vec::new();
        if self.repo_name.trim().is_empty() {
            mistakes.push(("/repo_name", "a name is needed"));
        }
        let below = FilePath::new(&self.path).components().all(|part| matches!(part, Component::Normal(_)));
        if self.path.is_empty() || !below || self.path.contains(char::is_control) {
            mistakes.push((
                "/path",
                "the path of a directory below the `root` of the settings is needed, as in `sites/north`",
            ));
        }
        if self.git_ref.as_deref().is_some_and(|git_ref| !is_ref(git_ref)) {
            mistakes
                .push(("/ref", "a ref is the name of a branch or a tag, or the id of a commit, as in `origin/main`"));
        }
        if mistakes.is_empty() { Ok(()) } else { Err(Error::mistakes(mistakes)) }
    }
}

/// Whether git takes a text for a name, and for nothing else: no option, no expression, no path.
fn is_ref(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "._/+-".contains(char))
        && !text.contains("..")
}
