//! The directory in which a server keeps its files: its id, its lock, and by default its database.

use super::BootError;
use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};
use uuid::Uuid;

/// A state directory that exists.
#[derive(Debug)]
pub(crate) struct StateDir {
    id: Uuid,
}

/// Held while a server runs on a state directory; the system releases it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct InUse(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

impl StateDir {
    /// Makes the directory, and the id of the server that lives in it, where they are not there yet.
    pub(crate) fn open(path: &Path) -> Result<Self, BootError> {
        let failed = |source| BootError::StateDir { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let id = read_or_make_id(&path.join("server-id")).map_err(failed)?;
        Ok(Self { id })
    }

    /// Tells the tasks of this server from those of others on the same database.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Keeps other servers from running on this directory.
    pub(crate) fn lock(path: &Path) -> Result<InUse, BootError> {
        let failed = |source| BootError::StateDir { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let file = File::create(path.join("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(InUse(file)),
            Err(TryLockError::WouldBlock) => Err(BootError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

fn read_or_make_id(path: &Path) -> io::Result<Uuid> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no server id: {error}", path.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = Uuid::now_v7();
            // Linked into place, so that of two processes that start at once both read the same id.
            let own = path.with_extension(format!("{id}.part"));
            fs::write(&own, format!("{id}\n"))?;
            let linked = fs::hard_link(&own, path);
            fs::remove_file(&own)?;
            match linked {
                Ok(()) => Ok(id),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_or_make_id(path),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}
