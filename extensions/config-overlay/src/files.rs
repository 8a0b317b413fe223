//! Reads the files of a cluster: within a time limit, and never so that a file system that hangs takes the server with it.

use crate::{directory, git::WorkingCopy, repos, settings::OverlaySettings};
use rivetgun::prelude::*;
use serde_saphyr::Location;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Semaphore;

/// How many threads may wait for file systems. One that hangs for ever keeps those that it has got, and no more.
const READERS: usize = 4;

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
        let read = tokio::time::timeout(limit, self.texts(settings, repo, names)).await;
        let texts = read.map_err(|_| {
            Error::unavailable(format!(
                "the overlay directory `{}` was not read within {} s: see whether its file system answers, or set a \
                 longer `read_timeout`",
                repo.path,
                limit.as_secs()
            ))
        })??;
        texts.into_iter().map(|(name, text)| parse(&name, &text).map(|overlay| (name, overlay))).collect()
    }

    async fn texts(
        &self,
        settings: &OverlaySettings,
        repo: &repos::Model,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>> {
        let (root, path, max_bytes) = (settings.root()?.to_owned(), repo.path.clone(), settings.max_file_bytes);
        match &repo.git_ref {
            None => {
                let read = move || directory::read(&root, &directory::find(&root, &path)?, &names, max_bytes);
                self.aside(read).await
            }
            Some(git_ref) => {
                let directory = self.aside(move || directory::find(&root, &path)).await?;
                WorkingCopy { settings, directory, path: &repo.path }.read(git_ref, &names).await
            }
        }
    }

    /// Runs blocking calls where they block nobody else.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.0).acquire_owned().await?;
        tokio::task::spawn_blocking(move || {
            let _held_until_it_returns = permit;
            work()
        })
        .await?
    }
}

/// Reads the YAML of an overlay. What stands twice in one mapping is an error: only one of them would count.
fn parse(name: &str, text: &str) -> Result<Object> {
    let wrong = |place: Option<Location>, detail: String| {
        let line = place.map(|place| format!(", line {}", place.line())).unwrap_or_default();
        Error::invalid(format!("the overlay {name}{line}: {detail}"))
    };
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(Value::Object(overlay)) => Ok(overlay),
        // A file without anything but comments.
        Ok(Value::Null) => Ok(Object::new()),
        Ok(_) => Err(wrong(None, "it must be a mapping of keys to values".to_owned())),
        Err(error) => Err(wrong(error.location(), error.to_string())),
    }
}
