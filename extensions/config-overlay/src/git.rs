//! Reads overlays as a ref of a git working copy has them, whatever is checked out.
//!
//! Nothing is fetched or checked out, and no hook of the repository runs. `git` looks for the repository from the
//! directory of the overlays up to the root, refuses one that belongs to somebody else (`safe.directory`), and one that
//! lies inside of a working copy as if it were files of it (`safe.bareRepository`).

use crate::{
    directory::{text, too_large},
    settings::OverlaySettings,
};
use rivetgun::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

/// A git working copy, or a directory of one.
#[derive(Debug)]
pub(crate) struct WorkingCopy<'a> {
    pub(crate) settings: &'a OverlaySettings,
    pub(crate) directory: PathBuf,
    /// As people call it.
    pub(crate) path: &'a str,
}

impl WorkingCopy<'_> {
    /// The texts of those of these files that are there in the commit that a ref points to.
    pub(crate) async fn read(&self, git_ref: &str, names: &BTreeSet<String>) -> Result<BTreeMap<String, String>> {
        let commit = self.commit(git_ref).await?;
        let mut git = self.git(&["cat-file", "--batch", "--follow-symlinks"])?;
        let mut git = git
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| not_run(&error))?;
        let (Some(mut requests), Some(answers)) = (git.stdin.take(), git.stdout.take()) else {
            return Err(Error::failed("git has neither input nor output"));
        };
        let lines: String = names.iter().map(|name| format!("{commit}:./{name}\n")).collect();
        let written = async { Ok::<_, Error>(requests.write_all(lines.as_bytes()).await?) };
        let max_bytes = self.settings.max_file_bytes;
        // Both at once: it answers while it is asked, and waits until somebody reads that.
        let ((), texts) = tokio::try_join!(written, read_all(BufReader::new(answers), names, max_bytes))?;
        Ok(texts)
    }

    /// The id of the commit that a ref points to, so that all files are read as they are at one moment.
    async fn commit(&self, git_ref: &str) -> Result<String> {
        let commit = format!("{git_ref}^{{commit}}");
        let mut git = self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
        let answer = git.output().await.map_err(|error| not_run(&error))?;
        match answer.status.code() {
            Some(0) => Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned()),
            Some(1) => Err(Error::invalid(format!(
                "the working copy `{}` has no ref `{git_ref}`: fetch it there, or change the ref of the repo",
                self.path
            ))),
            _ => {
                let told = String::from_utf8_lossy(&answer.stderr);
                tracing::error!(directory = %self.directory.display(), told = told.trim(), "git cannot read the overlays");
                Err(Error::unavailable(format!(
                    "git cannot read the working copy `{}`; the server's log tells why",
                    self.path
                )))
            }
        }
    }

    fn git(&self, arguments: &[&str]) -> Result<Command> {
        let root = self.settings.root()?.canonicalize()?;
        let mut command = Command::new(&self.settings.git);
        command
            .args(["-c", "safe.bareRepository=explicit"])
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            // The root itself may be a working copy; what it lies in may not.
            .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(Path::new("/")))
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .kill_on_drop(true);
        Ok(command)
    }
}

fn not_run(error: &std::io::Error) -> Error {
    Error::unavailable(format!("git cannot be run ({error}): install it, or set `git` in [extensions.config_overlay]"))
}

/// Reads the answers of `git cat-file --batch` about these files.
async fn read_all(
    mut answers: impl AsyncBufRead + Unpin,
    names: &BTreeSet<String>,
    max_bytes: u64,
) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for name in names {
        let mut header = String::new();
        answers.read_line(&mut header).await?;
        let header = header.trim_end();
        if header.ends_with(" missing") {
            continue;
        }
        let words: Vec<&str> = header.split(' ').collect();
        let (kind, size) = match words.as_slice() {
            [_, kind, size] => (*kind, size),
            [kind, size] => (*kind, size),
            _ => return Err(Error::failed(format!("git answered about {name}: {header}"))),
        };
        let size: u64 = size.parse()?;
        match kind {
            "blob" if size > max_bytes => return Err(too_large(name, max_bytes)),
            "blob" | "dangling" | "notdir" => {}
            "tree" => return Err(Error::invalid(format!("the overlay {name} is not a regular file"))),
            _ => return Err(Error::invalid(format!("the overlay {name} is a link that leads out of the repository"))),
        }
        let mut bytes = vec![0; usize::try_from(size)?];
        answers.read_exact(&mut bytes).await?;
        answers.read_u8().await?;
        if kind == "blob" {
            texts.insert(name.clone(), text(name, bytes, max_bytes)?);
        }
    }
    Ok(texts)
}
