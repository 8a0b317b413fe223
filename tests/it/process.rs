//! The binary as operators run it: commands that end, and servers that somebody ends.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// How long anything that is waited for may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a server says when it has started.
const LISTENING: &str = "listening on http://";

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// The command, which ended with this code; an error must be told as one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked at"), "{}", self.stderr);
        if code == 1 {
            assert!(self.stderr.contains("error:"), "{self:?}");
        }
        self
    }

    /// Whether all of these are in what it said on standard error.
    #[track_caller]
    pub(crate) fn tells(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        }
    }
}

/// The binary with an empty environment but `PATH`, in a directory of its own.
pub(crate) fn rivetgun(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rivetgun"));
    command.current_dir(dir).stdin(Stdio::null()).env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Runs a command to its end, with the state directory `state` in `dir`.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Finished {
    finish(rivetgun(dir).args(["--state-dir", "state"]).args(arguments))
}

/// Runs a command to its end.
#[expect(clippy::disallowed_methods, reason = "a test may wait for a command")]
pub(crate) fn finish(command: &mut Command) -> Finished {
    let output = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// The URL of the SQLite file that commands of [`run`] use.
pub(crate) fn database_of(dir: &Path) -> String {
    format!("sqlite://{}?mode=rwc", dir.join("state/rivetgun.sqlite").display())
}

/// Waits until something is there.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "in vain waited for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A server that listens. It is killed when this is dropped.
pub(crate) struct Serving {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Serving {
    /// Starts `serve` on a port that is free, with the state directory `state` in `dir`, and waits until it listens.
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut command = rivetgun(dir);
        command.args(["--state-dir", "state"]).args(arguments).args(["serve", "--listen", "127.0.0.1:0"]);
        Self::of(command, dir)
    }

    /// Starts a command that serves.
    pub(crate) fn of(mut command: Command, dir: &Path) -> Self {
        let log = dir.join("serve.log");
        let file = File::options().create(true).append(true).open(&log).expect("the log can be written");
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("its output is piped");
        let (say, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            drop(say.send(lines.find_map(|line| line.strip_prefix(LISTENING).map(str::to_owned))));
            // Whatever else it says is heard to its end: a test binary that serves dies of a closed pipe after a minute.
            lines.for_each(drop);
        });
        let address = heard.recv_timeout(PATIENCE).ok().flatten();
        let serving = Self { child, address: address.unwrap_or_default(), log };
        assert!(serving.address.starts_with("127.0.0.1:"), "{}", serving.log());
        serving
    }

    /// Starts a command that serves, and waits until it listens, which is before it has started.
    pub(crate) fn early(mut command: Command, dir: &Path) -> Self {
        let log = dir.join("serve.log");
        let file = File::options().create(true).append(true).open(&log).expect("the log can be written");
        let child = command.stdout(Stdio::null()).stderr(file).spawn().expect("the binary runs");
        let mut serving = Self { child, address: String::new(), log };
        serving.address = wait_for("the address in the log", || {
            let log = serving.log();
            let line = log.lines().find(|line| line.contains(" listening "))?;
            line.split_once("address=")?.1.split_once(' ').map(|(address, _)| address.to_owned())
        });
        serving
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request below `/api/v1`, and gives back the body of an answer with this status.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let (found, body) = self.answer(method, path, body);
        assert_eq!(found, status, "{method} {path}: {body}");
        body
    }

    /// Sends a request below `/api/v1`, and gives back the status and the body.
    #[track_caller]
    pub(crate) fn answer(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.try_answer(method, path, body).expect("the server answers")
    }

    /// Sends a request below `/api/v1` to a server that may be gone.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn try_answer(&self, method: &str, path: &str, body: &Value) -> io::Result<(u16, Value)> {
        let (status, text) = self.exchange(method, &format!("/api/v1{path}"), body)?;
        Ok((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? }))
    }

    /// What is at a path that does not stand below `/api/v1`.
    #[track_caller]
    pub(crate) fn at_root(&self, path: &str) -> (u16, String) {
        self.exchange("GET", path, &Value::Null).expect("the server answers")
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> io::Result<(u16, String)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        // HTTP/1.0: the answer ends with the connection.
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\n", self.address);
        let head = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut answer = String::new();
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{head}{body}").as_bytes())?;
        stream.read_to_string(&mut answer)?;
        let cut_off = || io::Error::other(format!("the answer is cut off: {answer:?}"));
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut_off)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut_off)?;
        Ok((status, body.to_owned()))
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Ends it at once, where something else takes its place.
    pub(crate) fn end(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        let status = wait_for("the end of the server", || self.child.try_wait().expect("it can be waited for"));
        (status, start.elapsed())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
