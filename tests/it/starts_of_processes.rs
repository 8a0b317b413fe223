//! The server as a process, with extensions that misbehave when it starts and when it ends. The binary of the distribution
//! has none of those, so that the process is this test binary: [`it_is_a_server_when_it_is_told_to_be`].

use crate::{
    process::{Finished, Serving, finish, wait_for},
    steps,
};
use rivetgun::testkit::command_line;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, ExitCode, Stdio, exit},
    time::Duration,
};
use tempfile::tempdir;

/// The variable that makes a server of this binary: its settings file.
const SETTINGS: &str = "RIVETGUN_TEST_SERVER_SETTINGS";

#[test]
fn it_is_a_server_when_it_is_told_to_be() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    let ended = command_line(&["rivetgun", "--config", &settings, "serve", "--listen", "127.0.0.1:0"]);
    exit(i32::from(ended != ExitCode::SUCCESS));
}

/// This binary as a server with these settings, which keeps its files in `dir`.
fn server(dir: &Path, settings: &str) -> Command {
    let path = dir.join("settings.toml");
    std::fs::write(&path, format!("state_dir = {:?}\n{settings}", dir.join("state"))).expect("a file");
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    let test = "starts_of_processes::it_is_a_server_when_it_is_told_to_be";
    command.args(["--exact", test, "--nocapture", "--quiet"]).env(SETTINGS, path).stdin(Stdio::null());
    command
}

#[test]
fn a_start_that_blocks_for_ever_is_told_and_the_server_serves_and_ends_without_it() {
    for step in ["initialize", "start"] {
        let dir = tempdir().expect("a directory");
        let settings = format!("[limits]\n{step}_timeout_ms = 300\n[extensions.faulty]\n{step} = 'block'");
        let serving = Serving::of(server(dir.path(), &settings), dir.path());
        let shown = serving.request("GET", "/extensions/faulty", &Value::Null, 200);
        assert_eq!(
            (&shown["status"], &shown["reason"]),
            (&json!("failed"), &json!(format!("it blocked its thread for longer than 300 ms in {step}")))
        );
        serving.request("GET", "/nodes", &Value::Null, 200);
        assert_eq!(serving.at_root("/readyz").0, 200);
        let log = serving.log();
        assert!(log.contains("faulty") && log.contains("the server goes on without it"), "{log}");
        let (status, elapsed) = serving.terminate();
        assert_eq!(status.code(), Some(0));
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
}

#[test]
fn a_server_does_not_start_with_what_blocks_while_it_declares_and_says_which_it_is() {
    let dir = tempdir().expect("a directory");
    let settings = "[limits]\ninitialize_timeout_ms = 300\n[extensions.faulty]\nvalidate = 'block'";
    let Finished { code, stdout, stderr } = finish(&mut server(dir.path(), settings));
    assert_eq!(code, Some(1), "{stderr}");
    for part in ["RG0107", "`validate()` of `faulty`", "took longer than 300 ms"] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    assert!(!stdout.contains("listening on"), "{stdout}");
}

#[test]
fn a_server_that_is_starting_says_what_it_waits_for_and_can_be_stopped() {
    let dir = tempdir().expect("a directory");
    let diary = dir.path().join("diary");
    let settings = format!(
        "[limits]\ninitialize_timeout_ms = 600000\n[extensions.faulty]\ninitialize = 'block'\n\
         [extensions.hall]\ndiary = {diary:?}"
    );
    let serving = Serving::early(server(dir.path(), &settings), dir.path());
    wait_for("the hall", || (steps::read(&diary) == ["hall initializes"]).then_some(()));
    assert_eq!(serving.at_root("/livez").0, 200);
    let (status, problem) = serving.at_root("/readyz");
    assert_eq!(status, 503);
    assert!(problem.contains("faulty") && problem.contains("it is starting"), "{problem}");
    let problem = serving.request("GET", "/nodes", &Value::Null, 503);
    assert_eq!(problem["detail"], "the server is starting; `/readyz` tells what it waits for");
    assert_eq!(serving.request("GET", "/extensions/faulty", &Value::Null, 200)["status"], "starting");

    let (status, elapsed) = serving.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    // What had begun is ended, though somebody else never began.
    assert_eq!(steps::read(&diary), ["hall initializes", "hall closes"]);
}

#[test]
fn a_server_does_not_start_without_what_is_required_and_closes_what_it_began() {
    for (fault, reason) in [
        ("away", "what it needs is away"),
        ("error", "the inner secret"),
        ("panic", "panicked"),
        ("block", "blocked its thread for longer than 300 ms"),
    ] {
        let dir = tempdir().expect("a directory");
        let diary = dir.path().join("diary");
        let settings = format!(
            "[limits]\nstart_timeout_ms = 300\n[extensions]\nrequired = ['faulty']\n\
             [extensions.faulty]\nstart = '{fault}'\ndiary = {diary:?}"
        );
        let Finished { code, stdout, stderr } = finish(&mut server(dir.path(), &settings));
        assert_eq!(code, Some(1), "{stderr}");
        for part in ["error:", "RG0209", "`faulty`", reason] {
            assert!(stderr.contains(part), "{part} in {stderr}");
        }
        assert!(!stdout.contains("listening on"), "{stdout}");
        assert_eq!(steps::read(&diary), ["initialize", "start", "close"]);
    }
}

#[test]
fn a_server_that_is_told_to_end_twice_waits_for_nothing_any_more() {
    let dir = tempdir().expect("a directory");
    let diary = dir.path().join("diary");
    let settings =
        format!("[limits]\nclose_timeout_ms = 600000\n[extensions.faulty]\nclose = 'block'\ndiary = {diary:?}");
    let serving = Serving::of(server(dir.path(), &settings), dir.path());
    serving.signal(Signal::TERM);
    wait_for("the close", || steps::read(&diary).contains(&"close".to_owned()).then_some(()));
    let (status, elapsed) = serving.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}
