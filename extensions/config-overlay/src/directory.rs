//! Reads overlays as they lie in a directory. These are blocking calls, which [`files`](crate::files) keeps apart.

use rivetgun::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// The directory of a repo, which is below the root, links followed.
pub(crate) fn find(root: &Path, path: &str) -> Result<PathBuf> {
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
        directory => Ok(directory),
    }
}

/// The texts of those of these files that are there.
pub(crate) fn read(
    root: &Path,
    directory: &Path,
    names: &BTreeSet<String>,
    max_bytes: u64,
) -> Result<BTreeMap<String, String>> {
    let root = canonical_root(root)?;
    let mut texts = BTreeMap::new();
    for name in names {
        let unreadable = |error| Error::unavailable(format!("the overlay {name} cannot be read: {error}"));
        let Some(path) = canonical(&directory.join(name)).map_err(unreadable)? else { continue };
        if !path.starts_with(&root) {
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
        file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        texts.insert(name.clone(), text(name, bytes, max_bytes)?);
    }
    Ok(texts)
}

/// The text of a file that is not larger than it may be.
pub(crate) fn text(name: &str, bytes: Vec<u8>, max_bytes: u64) -> Result<String> {
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(name, max_bytes));
    }
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("the overlay {name} is not a text in UTF-8")))
}

pub(crate) fn too_large(name: &str, max_bytes: u64) -> Error {
    Error::invalid(format!("the overlay {name} is larger than {max_bytes} bytes, the `max_file_bytes` of the settings"))
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
