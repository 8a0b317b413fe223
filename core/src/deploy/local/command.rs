//! One process of the operator, in a process group of its own so that all it started ends with it.

use super::group;
use crate::model::LogStream;
use futures_util::{FutureExt, StreamExt};
use rustix::process::Pid;
use std::{io, os::unix::process::ExitStatusExt, pin::pin, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    process::{Child, ChildStdin},
    sync::mpsc,
};
use tokio_util::{
    codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead},
    sync::CancellationToken,
};

/// Longer lines are told to be longer, and left out.
const LINE_LENGTH: usize = 8 * 1024;
/// How long the output of a process that has ended is still listened to.
const DRAIN: Duration = Duration::from_secs(1);

pub(super) struct Command<'a> {
    pub(super) line: &'a str,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) input: Vec<u8>,
    pub(super) time_limit: Duration,
}

/// What a process says while it runs.
#[derive(Debug)]
pub(super) enum Spoken {
    Progress(u8),
    Line(LogStream, String),
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    /// With the last line that it wrote to its standard error.
    Code {
        code: i32,
        last_words: String,
    },
    Signal(i32),
    TooLate,
    Stopped,
}

/// A command that runs.
pub(super) struct Process {
    child: Child,
    input: Vec<u8>,
    time_limit: Duration,
}

/// The shell waits for a line break before it goes on with the command: nothing of the operator's runs before
/// [`Process::see_through`], nor at all where the server is killed before that.
const GATE: &str = "read -r _ || exit; ";

impl Command<'_> {
    pub(super) fn spawn(self) -> io::Result<Process> {
        let child = tokio::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("{GATE}{}", self.line))
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Process { child, input: self.input, time_limit: self.time_limit })
    }
}

impl Process {
    /// Its process group, which it leads.
    pub(super) fn group(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
    }

    /// Sees the process through to its end, the time limit, or one of the stops. What it says goes to `heard`.
    pub(super) async fn see_through(
        mut self,
        [stop, stopping]: [&CancellationToken; 2],
        heard: mpsc::Sender<Spoken>,
    ) -> io::Result<Ended> {
        let group = self.group();
        let Self { child, input, time_limit } = &mut self;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let talk = async {
            let ((), _, last_words) = tokio::join!(
                feed(stdin, input),
                pass_on(stdout, LogStream::Stdout, &heard),
                pass_on(stderr, LogStream::Stderr, &heard),
            );
            last_words
        };
        let mut talk = pin!(talk.fuse());
        let mut too_late = pin!(tokio::time::sleep(*time_limit));
        let mut last_words = None;
        let stopped = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = stopping.cancelled() => {}
            }
        };
        let mut stopped = pin!(stopped);
        let ended = loop {
            tokio::select! {
                words = &mut talk => last_words = Some(words),
                status = child.wait() => break Ok(status?),
                () = &mut too_late => break Err(Ended::TooLate),
                () = &mut stopped => break Err(Ended::Stopped),
            }
        };
        if ended.is_err() {
            // What it says while it ends is heard as well.
            let mut ending = pin!(end(child, group));
            loop {
                tokio::select! {
                    words = &mut talk => last_words = Some(words),
                    () = &mut ending => break,
                }
            }
        }
        if last_words.is_none() {
            // What is written is read. What the process left behind may hold its pipes open for ever.
            last_words = tokio::time::timeout(DRAIN, talk).await.ok();
        }
        let status = match ended {
            Ok(status) => status,
            Err(early) => return Ok(early),
        };
        Ok(match status.code() {
            Some(0) => Ended::Well,
            Some(code) => Ended::Code { code, last_words: last_words.unwrap_or_default() },
            None => Ended::Signal(status.signal().unwrap_or_default()),
        })
    }
}

/// Opens the gate, and writes the document. A command that does not read it is free not to.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin
        && stdin.write_all(b"\n").await.is_ok()
    {
        drop(stdin.write_all(input).await);
    }
}

/// Passes on what comes out of a pipe, until it ends; gives back the last line.
async fn pass_on(pipe: Option<impl AsyncRead + Unpin>, stream: LogStream, heard: &mpsc::Sender<Spoken>) -> String {
    let mut last = String::new();
    let Some(pipe) = pipe else { return last };
    let codec = AnyDelimiterCodec::new_with_max_length(b"\n".to_vec(), Vec::new(), LINE_LENGTH);
    let mut lines = FramedRead::new(pipe, codec);
    let mut too_long = false;
    loop {
        let line = match lines.next().await {
            Some(line) => line,
            // After an error the stream pauses once; only the next end is that of the output.
            None if std::mem::take(&mut too_long) => continue,
            None => break,
        };
        too_long = matches!(line, Err(AnyDelimiterCodecError::MaxChunkLengthExceeded));
        let line = match line {
            // No database stores a NUL in a text.
            Ok(bytes) => String::from_utf8_lossy(&bytes).trim_end_matches('\r').replace('\0', "\u{fffd}"),
            Err(AnyDelimiterCodecError::MaxChunkLengthExceeded) => format!("(a line of more than {LINE_LENGTH} bytes)"),
            Err(AnyDelimiterCodecError::Io(error)) => format!("(the output cannot be read: {error})"),
        };
        let spoken = match parse_progress(&line) {
            Some(percent) if stream == LogStream::Stdout => Spoken::Progress(percent),
            _ => {
                last.clone_from(&line);
                Spoken::Line(stream, line)
            }
        };
        // The receiver outlives the command.
        drop(heard.send(spoken).await);
    }
    last
}

/// `progress 40`
fn parse_progress(line: &str) -> Option<u8> {
    let percent = line.strip_prefix("progress ")?.trim().trim_end_matches('%').parse::<u8>().ok()?;
    (percent <= 100).then_some(percent)
}

/// Ends a process and all that it started.
async fn end(child: &mut Child, group: Option<Pid>) {
    // The group is gone only when its leader was waited for.
    let group = async {
        if let Some(group) = group {
            group::end(group).await;
        }
    };
    let _ = tokio::join!(child.wait(), group);
}

#[cfg(test)]
mod tests {
    use super::parse_progress;

    #[test]
    fn only_a_whole_line_with_a_percentage_is_progress() {
        for (line, expected) in [
            ("progress 0", Some(0)),
            ("progress 40%", Some(40)),
            ("progress 100", Some(100)),
            ("progress 101", None),
            ("progress -1", None),
            ("progress", None),
            ("no progress 40", None),
        ] {
            assert_eq!(parse_progress(line), expected, "{line}");
        }
    }
}
