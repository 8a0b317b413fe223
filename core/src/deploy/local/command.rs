//! One process of the operator, in a process group of its own so that all it started ends with it.

use crate::model::LogStream;
use futures_util::{FutureExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process_group};
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
/// How long a process may take to end by itself after it was told to.
const GRACE: Duration = Duration::from_secs(3);
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

impl Command<'_> {
    /// Runs the process to its end, the time limit, or one of the stops. What it says goes to `heard`.
    pub(super) async fn run(
        self,
        [stop, stopping]: [&CancellationToken; 2],
        heard: mpsc::Sender<Spoken>,
    ) -> io::Result<Ended> {
        let mut child = tokio::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(self.line)
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let talk = async {
            let ((), _, last_words) = tokio::join!(
                feed(stdin, &self.input),
                pass_on(stdout, LogStream::Stdout, &heard),
                pass_on(stderr, LogStream::Stderr, &heard),
            );
            last_words
        };
        let mut talk = pin!(talk.fuse());
        let mut too_late = pin!(tokio::time::sleep(self.time_limit));
        let mut last_words = None;
        let status = loop {
            tokio::select! {
                words = &mut talk => last_words = Some(words),
                status = child.wait() => break status?,
                () = &mut too_late => {
                    end(&mut child, group).await;
                    return Ok(Ended::TooLate);
                }
                () = async { tokio::select! { () = stop.cancelled() => {}, () = stopping.cancelled() => {} } } => {
                    end(&mut child, group).await;
                    return Ok(Ended::Stopped);
                }
            }
        };
        if last_words.is_none() {
            // What is written is read. What the process left behind may hold its pipes open for ever.
            last_words = tokio::time::timeout(DRAIN, talk).await.ok();
        }
        Ok(match status.code() {
            Some(0) => Ended::Well,
            Some(code) => Ended::Code { code, last_words: last_words.unwrap_or_default() },
            None => Ended::Signal(status.signal().unwrap_or_default()),
        })
    }
}

/// Writes the document. A command that does not read it is free not to.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
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

/// Ends a process and all that it started: politely first.
async fn end(child: &mut Child, group: Option<Pid>) {
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    signal(Signal::TERM);
    let ended = tokio::time::timeout(GRACE, child.wait()).await;
    signal(Signal::KILL);
    if ended.is_err() {
        drop(child.wait().await);
    }
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
