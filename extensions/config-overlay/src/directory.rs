//! Reads overlays as they lie in a directory. These are blocking calls, which [`files`](crate::files) keeps apart.

use crate::texts::{Limits, Texts};
use rivetgun::prelude::*;
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// The directory of a repo, and the root that it is below, links followed.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) directory: PathBuf,
}

/// Where the directory of a repo is.
pub(crate) fn find(root: &Path, path: &str) -> Result<Place> {
    let root = canonical_root(root)?;
    let directory = root.join(path).canonicalize().map_err(|error| {
        Error::unavailable(format!(
            "the overlay directory `{path}` cannot be read ({error}): make it below the `root` of \
             [extensions.config_overlay], or change the path of the repo"
        ))
    })?;
    match directory {
        out if !out.starts_with(&root) => Err(Error::invalid(format!(
            "the overlay directory `{path}` leads out of the `root` of [extensions.config_overlay]"
        ))),
        file if !file.is_dir() => Err(Error::invalid(format!("the overlay directory `{path}` is not a directory"))),
        directory => Ok(Place { root, directory }),
    }
}

/// The texts of those of these files that are there.
pub(crate) fn read(place: &Place, names: &BTreeSet<String>, limits: Limits) -> Result<Texts> {
    let Place { root, directory } = place;
    let mut texts = Texts::within(limits);
    for name in names {
        let unreadable = |error| Error::unavailable(format!("the overlay {name} cannot be read: {error}"));
        let Some(path) = canonical(&directory.join(name)).map_err(unreadable)? else { continue };
        if !path.starts_with(root) {
            return Err(Error::invalid(format!(
                "the overlay {name} is a link that leads out of the `root` of [extensions.config_overlay]"
            )));
        }
        // Asked before it is opened: to open a FIFO is to wait for who writes into it.
        if !path.is_file() {
            return Err(Error::invalid(format!("the overlay {name} is not a regular file")));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(limits.max_file_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        texts.take(name, bytes)?;
    }
    Ok(texts)
}

fn canonical_root(root: &Path) -> Result<PathBuf> {
    root.canonicalize().map_err(|error| {
        tracing::error!(root = %root.display(), %error, "the root of all overlays cannot be read");
        Error::unavailable(format!(
            "the `root` of [extensions.config_overlay] cannot be read ({error}): make it, or set another"
        ))
    })
}

/// Where a file really is; `None` where it is not there. What is too long for a name is the name of no file.
fn canonical(path: &Path) -> io::Result<Option<PathBuf>> {
    match path.canonicalize() {
        Ok(path) => Ok(Some(path)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => Ok(None),
            _ => Err(error),
        },
    }
}
