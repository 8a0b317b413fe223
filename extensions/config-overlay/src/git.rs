//! Reads overlays as a ref of a git working copy has them, whatever is checked out.
//!
//! Nothing is fetched or checked out, and no hook of the repository runs. `git` looks for the repository from the
//! directory of the overlays up to the root, refuses one that belongs to somebody else (`safe.directory`), and one that
//! lies inside of a working copy as if it were files of it (`safe.bareRepository`).

use crate::{
    directory::Place,
    files::Reader,
    texts::{Limits, Texts},
};
use rivetgun::prelude::*;
use std::{collections::BTreeSet, path::Path, process::Stdio};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

/// A git working copy, or a directory of one.
#[derive(Debug)]
pub(crate) struct WorkingCopy<'a> {
    pub(crate) reader: &'a Reader,
    /// The program.
    pub(crate) git: &'a Path,
    pub(crate) place: Place,
    /// As people call it.
    pub(crate) path: &'a str,
}

impl WorkingCopy<'_> {
    /// The texts of those of these files that are there in the commit that a ref points to.
    pub(crate) async fn read(&self, git_ref: &str, names: &BTreeSet<String>, limits: Limits) -> Result<Texts> {
        let commit = self.commit(git_ref).await?;
        let mut git = self.git(&["cat-file", "--batch", "--follow-symlinks"]);
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut git = self.spawn(git).await?;
        let (Some(mut requests), Some(answers)) = (git.stdin.take(), git.stdout.take()) else {
            return Err(Error::failed("git has neither input nor output"));
        };
        let lines: String = names.iter().map(|name| format!("{commit}:./{name}\n")).collect();
        let written = async { Ok::<_, Error>(requests.write_all(lines.as_bytes()).await?) };
        // Both at once: it answers while it is asked, and waits until somebody reads that.
        let ((), texts) = tokio::try_join!(written, read_all(BufReader::new(answers), names, limits))?;
        Ok(texts)
    }

    /// The id of the commit that a ref points to, so that all files are read as they are at one moment.
    async fn commit(&self, git_ref: &str) -> Result<String> {
        let commit = format!("{git_ref}^{{commit}}");
        let mut git = self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
        git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let answer = self.spawn(git).await?.wait_with_output().await?;
        match answer.status.code() {
            Some(0) => Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned()),
            Some(1) => Err(Error::invalid(format!(
                "the working copy `{}` has no ref `{git_ref}`: fetch it there, or change the ref of the repo",
                self.path
            ))),
            _ => {
                let told = String::from_utf8_lossy(&answer.stderr);
                tracing::error!(directory = %self.place.directory.display(), told = told.trim(), "git cannot read the overlays");
                Err(Error::unavailable(format!(
                    "git cannot read the working copy `{}`; the server's log tells why",
                    self.path
                )))
            }
        }
    }

    /// Starts git. To begin a process is to wait for the file system of its directory. One that began after the time limit is
    /// killed, since nobody takes it.
    async fn spawn(&self, mut command: Command) -> Result<Child> {
        self.reader.aside(move || command.spawn().map_err(|error| not_run(&error))).await
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.git);
        command
            .args(["-c", "safe.bareRepository=explicit"])
            .args(arguments)
            .current_dir(&self.place.directory)
            .env_clear()
            .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            // The root itself may be a working copy; what it lies in may not.
            .env("GIT_CEILING_DIRECTORIES", self.place.root.parent().unwrap_or(Path::new("/")))
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .kill_on_drop(true);
        command
    }
}

fn not_run(error: &std::io::Error) -> Error {
    Error::unavailable(format!("git cannot be run ({error}): install it, or set `git` in [extensions.config_overlay]"))
}

/// Reads the answers of `git cat-file --batch` about these files.
async fn read_all(mut answers: impl AsyncBufRead + Unpin, names: &BTreeSet<String>, limits: Limits) -> Result<Texts> {
    let mut texts = Texts::within(limits);
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
            "blob" => texts.check(name, size)?,
            "dangling" | "notdir" => {}
            "tree" => return Err(Error::invalid(format!("the overlay {name} is not a regular file"))),
            _ => return Err(Error::invalid(format!("the overlay {name} is a link that leads out of the repository"))),
        }
        let mut bytes = vec![0; usize::try_from(size)?];
        answers.read_exact(&mut bytes).await?;
        answers.read_u8().await?;
        if kind == "blob" {
            texts.take(name, bytes)?;
        }
    }
    Ok(texts)
}
