//! Process groups: how they end, and how a server that starts finds those that the one before it left.
//!
//! A server that is killed takes nothing with it: its commands go on, and nobody listens. So a file in `<state_dir>/running`
//! tells of each group as long as it runs. A number alone would not do, since the system gives it to others later. The
//! group is ours if its leader began when ours did, in the same boot; or, where the leader has ended and others of the
//! group go on, if the environment of one of them names the task. A system without `/proc` tells neither: nothing is kept
//! there, and nothing is ended.

use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{fs, time::timeout};
use uuid::Uuid;

/// How long a group may take to end by itself after it was told to.
const GRACE: Duration = Duration::from_secs(3);
/// How long it takes at most until a group that was killed is gone.
const KILLED: Duration = Duration::from_secs(1);
/// How often it is looked whether a group is gone.
const LOOK: Duration = Duration::from_millis(20);

/// The groups that run, one file each.
#[derive(Debug)]
pub(super) struct Groups {
    folder: PathBuf,
}

/// The file that tells of a group, until [`Groups::forget`].
#[derive(Debug)]
pub(super) struct Kept {
    file: PathBuf,
}

/// What a file tells of a group.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leader {
    /// The id of its leader, and its own.
    pid: i32,
    /// When the leader began: ticks since the boot.
    started: u64,
    /// Which boot that was.
    boot: String,
    task: Uuid,
}

impl Groups {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("running") }
    }

    /// Keeps that a group runs for a node, before it does anything. Not flushed to the disk: what ends the system ends the
    /// group as well.
    pub(super) async fn keep(&self, task: Uuid, node: i64, group: Pid) -> Option<Kept> {
        let pid = group.as_raw_nonzero().get();
        let (started, boot) = (stat_of(pid).await?.started, boot().await?);
        let file = self.folder.join(format!("{task}.{node}"));
        let written = async {
            fs::create_dir_all(&self.folder).await?;
            fs::write(&file, serde_json::to_vec(&Leader { pid, started, boot, task })?).await
        };
        if let Err(error) = written.await {
            tracing::warn!(%task, node, %error, "if the server is killed, nobody will end the command of this node");
        }
        Some(Kept { file })
    }

    pub(super) async fn forget(&self, kept: Option<Kept>) {
        if let Some(Kept { file }) = kept {
            remove(&file).await;
        }
    }

    /// Ends what an earlier server left running. Not while anything of this one runs.
    pub(super) async fn end_leftovers(&self) {
        match self.leftovers().await {
            Ok(files) => drop(join_all(files.iter().map(|file| end_leftover(file))).await),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let folder = self.folder.display();
                tracing::warn!(%folder, %error, "what an earlier run of this server left running cannot be found");
            }
        }
    }

    async fn leftovers(&self) -> io::Result<Vec<PathBuf>> {
        let mut entries = fs::read_dir(&self.folder).await?;
        let mut files = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            files.push(entry.path());
        }
        files.sort();
        Ok(files)
    }
}

async fn end_leftover(file: &Path) {
    let read = fs::read(file).await.and_then(|text| Ok(serde_json::from_slice::<Leader>(&text)?));
    match read {
        Ok(leader) if is_ours(&leader).await => {
            let Leader { pid: group, task, .. } = leader;
            tracing::info!(%task, group, "ending what an earlier run of this server left running");
            if let Some(group) = Pid::from_raw(group) {
                end(group).await;
            }
        }
        Ok(_) => {}
        // Where it is half written, the command did not begin.
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "a file does not tell of a command that may still run");
        }
    }
    remove(file).await;
}

async fn is_ours(leader: &Leader) -> bool {
    // To the system, the group 1 is everybody.
    if leader.pid <= 1 || boot().await.as_ref() != Some(&leader.boot) {
        return false;
    }
    match stat_of(leader.pid).await {
        Some(stat) => stat.started == leader.started && stat.group == leader.pid,
        None => is_in_group(leader).await.unwrap_or_default(),
    }
}

/// Whether a process of the group has the task in its environment, which it has from the leader.
async fn is_in_group(leader: &Leader) -> io::Result<bool> {
    let wanted = format!("RIVETGUN_TASK={}", leader.task);
    let mut processes = fs::read_dir("/proc").await?;
    while let Some(process) = processes.next_entry().await? {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if stat_of(pid).await.is_some_and(|stat| stat.group == leader.pid)
            && let Ok(environment) = fs::read(format!("/proc/{pid}/environ")).await
            && environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ends a process group: politely first.
pub(super) async fn end(group: Pid) {
    // Whether it is there still, the waiting tells.
    let _ = kill_process_group(group, Signal::TERM);
    if timeout(GRACE, is_gone(group)).await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        // One that nobody waits for stays in its group.
        let _ = timeout(KILLED, is_gone(group)).await;
    }
}

async fn is_gone(group: Pid) {
    let mut look = tokio::time::interval(LOOK);
    while test_kill_process_group(group).is_ok() {
        look.tick().await;
    }
}

async fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file).await
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(file = %file.display(), %error, "a file cannot be removed");
    }
}

/// What the system tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    group: i32,
    started: u64,
}

async fn stat_of(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).await.ok()?)
}

/// `7 (a name) S 1 7 …`: the group is the fifth field, the start the 22nd (`proc_pid_stat(5)`). A name may hold anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(Stat { group: fields.get(2)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
}

async fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").await.ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Leader, Stat, boot, is_ours, parse_stat, stat_of};
    use uuid::Uuid;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "42 (a) R 1 (b)) S 1 43 43 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        assert_eq!(parse_stat(stat), Some(Stat { group: 43, started: 987_654 }));
        assert_eq!(parse_stat("42 (a) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[tokio::test]
    async fn a_process_that_has_the_number_of_one_of_ours_is_not_ours() {
        let pid = i32::try_from(std::process::id()).expect("a number");
        let (Some(stat), Some(boot)) = (stat_of(pid).await, boot().await) else { return };
        let leader =
            |started, boot: &str| Leader { pid: stat.group, started, boot: boot.to_owned(), task: Uuid::nil() };
        let Some(of_group) = stat_of(stat.group).await else { return };
        assert!(is_ours(&leader(of_group.started, &boot)).await);
        assert!(!is_ours(&leader(of_group.started + 1, &boot)).await, "it began at another time");
        assert!(!is_ours(&leader(of_group.started, "another")).await, "that was in another boot");
    }
}
