//! Reads the files of a cluster: within a time limit, and never so that a file system that hangs takes the server with it.

use crate::{
    directory,
    git::WorkingCopy,
    repos,
    settings::{self, OverlaySettings},
    texts::Limits,
};
use rivetgun::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Semaphore;

/// How many threads may wait for file systems. One that hangs for ever keeps those that it has got, and no more.
const READERS: usize = 4;

/// Whoever asks about the root while that hangs waits for the one thread that asks.
static ROOT_CHECK: Semaphore = Semaphore::const_new(1);

/// Reads overlays.
#[derive(Debug, Clone)]
pub(crate) struct Reader(Arc<Semaphore>);

impl Default for Reader {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READERS)))
    }
}

impl Reader {
    /// Those of these files of a repo that are there.
    pub(crate) async fn read(
        &self,
        settings: &OverlaySettings,
        repo: &repos::Model,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<String, Object>> {
        let limit = settings.read_timeout();
        tokio::time::timeout(limit, self.files(settings, repo, names)).await.map_err(|_| {
            Error::unavailable(format!(
                "the overlay directory `{}` was not read within {} s: see whether its file system answers, or set a \
                 longer `read_timeout`",
                repo.path,
                limit.as_secs()
            ))
        })?
    }

    async fn files(
        &self,
        settings: &OverlaySettings,
        repo: &repos::Model,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<String, Object>> {
        let (root, path, limits) = (settings.root()?.to_owned(), repo.path.clone(), Limits::of(settings));
        match &repo.git_ref {
            None => self.aside(move || directory::read(&directory::find(&root, &path)?, &names, limits)?.parse()).await,
            Some(git_ref) => {
                let place = self.aside(move || directory::find(&root, &path)).await?;
                let copy = WorkingCopy { reader: self, git: &settings.git, place, path: &repo.path };
                let texts = copy.read(git_ref, &names, limits).await?;
                self.aside(move || texts.parse()).await
            }
        }
    }

    /// Runs blocking calls where they block nobody else.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.0).acquire_owned().await?;
        tokio::task::spawn_blocking(move || {
            let _held_until_it_returns = permit;
            work()
        })
        .await?
    }
}

/// Refuses a root that is not set, or in which nothing can lie: whoever says where overlays lie is told what to do first.
pub(crate) async fn check_root(settings: &OverlaySettings) -> Result<()> {
    let root = settings.root().map_err(|error| Error::invalid(error.public()))?.to_owned();
    let check = async {
        let permit = ROOT_CHECK.acquire().await?;
        let check = move || {
            let _held_until_it_returns = permit;
            settings::check_root(&root)
        };
        tokio::task::spawn_blocking(check).await?
    };
    tokio::time::timeout(settings.read_timeout(), check).await.map_err(|_| {
        Error::unavailable("the `root` of [extensions.config_overlay] does not answer: see to its file system")
    })?
}

#[cfg(test)]
mod tests {
    use super::{READERS, Reader};
    use crate::{repos, settings::OverlaySettings};
    use std::{collections::BTreeSet, sync::mpsc, time::Duration};
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_file_system_that_hangs_keeps_a_few_threads_and_whoever_comes_next_is_told() {
        let reader = Reader::default();
        let mut hanging = Vec::new();
        for _ in 0..READERS {
            let (answers, answer) = mpsc::channel::<()>();
            let read = reader.aside(move || Ok(answer.recv().is_ok()));
            assert!(timeout(Duration::from_millis(10), read).await.is_err(), "it hangs");
            hanging.push(answers);
        }
        let settings: OverlaySettings = serde_json::from_str(r#"{"root": "/", "read_timeout": 1}"#).expect("settings");
        let repo = repos::Model { id: 1, repo_name: "sites".into(), env_id: 1, path: "sites".into(), git_ref: None };
        let told =
            reader.read(&settings, &repo, BTreeSet::new()).await.expect_err("nobody is left to read").to_string();
        assert!(told.starts_with("the overlay directory `sites` was not read within 1 s: "), "{told}");

        drop(hanging);
        let works_again = timeout(Duration::from_secs(30), reader.aside(|| Ok(()))).await;
        works_again.expect("a thread is there again").expect("it reads");
    }
}
