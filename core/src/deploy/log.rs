//! The log of a task: lines are gathered and written in batches, so that a talkative command does not write once a line.

use crate::{
    error::Outcome,
    model::LogStream,
    server::Server,
    store::{self, LogLine},
};
use sea_orm::DbErr;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// What a node may write in one task; after that a line says so, and the rest is left out.
const LINES_A_NODE: usize = 10_000;
const BATCH: usize = 500;
const INTERVAL: Duration = Duration::from_millis(200);

enum Entry {
    Line(LogLine),
    Flush(oneshot::Sender<()>),
}

/// Writes the log of one task.
pub(super) struct Log {
    entries: mpsc::Sender<Entry>,
    written: Mutex<BTreeMap<Option<i64>, usize>>,
    clock: crate::server::Clock,
}

impl Log {
    pub(super) fn open(server: &Arc<Server>, task: Uuid) -> Self {
        let (entries, received) = mpsc::channel(BATCH);
        server.work.spawn(write_batches(Arc::clone(server), task, received));
        Self { entries, written: Mutex::default(), clock: server.clock.clone() }
    }

    pub(super) async fn write(&self, node: Option<i64>, stream: LogStream, line: String) {
        let count = {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            let count = written.entry(node).or_default();
            *count += 1;
            *count
        };
        let (stream, line) = match count.cmp(&LINES_A_NODE) {
            std::cmp::Ordering::Less => (stream, line),
            std::cmp::Ordering::Equal => {
                (LogStream::Rivetgun, format!("more than {LINES_A_NODE} lines; the rest is left out"))
            }
            std::cmp::Ordering::Greater => return,
        };
        let line = LogLine { time: self.clock.now(), node, stream, line };
        // The receiver ends only after the last sender.
        drop(self.entries.send(Entry::Line(line)).await);
    }

    /// Waits until what was written so far is in the database.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.entries.send(Entry::Flush(done)).await.is_ok() {
            drop(flushed.await);
        }
    }
}

/// Writes lines at once, each about a node or about the whole.
pub(super) async fn write_lines(
    server: &Server,
    task: i64,
    stream: LogStream,
    lines: Vec<(Option<i64>, String)>,
) -> Outcome<()> {
    let time = server.clock.now();
    // No database stores a NUL in a text.
    let line = |(node, line): (_, String)| LogLine { time, node, stream, line: line.replace('\0', "\u{fffd}") };
    let mut lines = lines.into_iter().map(line).peekable();
    while lines.peek().is_some() {
        append(server, task, lines.by_ref().take(BATCH).collect()).await?;
    }
    Ok(())
}

async fn write_batches(server: Arc<Server>, task: Uuid, mut entries: mpsc::Receiver<Entry>) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            entry = entries.recv() => match entry {
                Some(Entry::Line(line)) => {
                    batch.push(line);
                    if batch.len() >= BATCH {
                        write(&server, task, &mut batch).await;
                    }
                }
                Some(Entry::Flush(done)) => {
                    write(&server, task, &mut batch).await;
                    // Who waited may have gone.
                    let _ = done.send(());
                }
                None => break,
            },
            _ = interval.tick() => write(&server, task, &mut batch).await,
        }
    }
    write(&server, task, &mut batch).await;
}

async fn write(server: &Server, task: Uuid, batch: &mut Vec<LogLine>) {
    if batch.is_empty() {
        return;
    }
    let lines = std::mem::take(batch);
    let count = lines.len();
    let written = async {
        // A task that was deleted by force has no log any more.
        let Some(task) = store::tasks::find_by_uuid(server.store.reader(), task).await? else { return Ok(()) };
        append(server, task.id, lines).await
    };
    if let Err(error) = written.await {
        tracing::error!(%task, count, %error, "lines of a task's log are lost");
    }
}

async fn append(server: &Server, task: i64, lines: Vec<LogLine>) -> Result<(), DbErr> {
    let tx = server.store.write().await?;
    // One that was deleted in the meantime has no log either.
    if !store::tasks::find_all_locked(&*tx, &[task]).await?.is_empty() {
        store::logs::insert(&*tx, task, lines).await?;
        tx.commit().await?;
        server.nudge();
    }
    Ok(())
}
