//! `kill -9` while events are written and delivered: none is lost for any subscriber, and none comes out of order.
//!
//! `RIVETGUN_TEST_CHANGES` says how many changes there are to be; the test in CI is short. The full one:
//! `RIVETGUN_TEST_CHANGES=100000 cargo test --release --test it event_kills -- --nocapture`.

use crate::{
    common::{list, mac},
    process::{PATIENCE, Serving},
};
use rivetgun::testkit::{command_line, new_postgres_database, skip};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::tempdir;

/// How many changes are made, unless `RIVETGUN_TEST_CHANGES` says otherwise.
const CHANGES: usize = 1_000;
/// How long a server lives.
const LIFE: Duration = Duration::from_millis(1_500);
/// How many clients change nodes at the same time, and how many nodes each has.
const CLIENTS: usize = 4;
const NODES: usize = 5;

/// Two subscribers, which fail now and then.
const SETTINGS: &str = "[events]\nfirst_retry_ms = 20\nattempts = 1000\n\
                        [extensions.listener]\nwatch = {one = \"nodes.*.*\", other = \"nodes.update.*\"}";

/// What is set for the process that is the server.
const SERVER: &str = "RIVETGUN_TEST_IS_SERVER";

#[test]
fn no_event_is_lost_and_none_comes_out_of_order_on_sqlite() {
    change_and_kill(None);
}

#[test]
fn no_event_is_lost_and_none_comes_out_of_order_on_postgres() {
    match new_postgres_database() {
        Ok(url) => change_and_kill(Some(&url)),
        Err(reason) => skip("PostgreSQL", &reason),
    }
}

/// The server of the other tests: this very binary, since the extension that watches is in it. By itself it is no test.
#[test]
fn the_server_that_is_killed() {
    let Some(arguments) = std::env::var_os(SERVER) else { return };
    let arguments = arguments.into_string().expect("arguments");
    command_line(&arguments.split('\n').collect::<Vec<_>>());
}

fn start(dir: &Path, database: Option<&str>) -> Serving {
    let state = dir.join("state").display().to_string();
    let settings = dir.join("settings.toml").display().to_string();
    let mut arguments = vec!["rivetgun", "--state-dir", &state, "--config", &settings];
    if let Some(url) = database {
        arguments.extend(["--database-url", url]);
    }
    arguments.extend(["serve", "--listen", "127.0.0.1:0"]);
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "event_kills::the_server_that_is_killed", "--nocapture", "--test-threads=2"]);
    command.env(SERVER, arguments.join("\n")).env("RIVETGUN_LOG", "error");
    Serving::of(command, dir)
}

#[expect(clippy::print_stderr, reason = "who runs the long test wants to know how it went")]
fn change_and_kill(database: Option<&str>) {
    let changes = std::env::var("RIVETGUN_TEST_CHANGES").ok().and_then(|changes| changes.parse().ok());
    let changes: usize = changes.unwrap_or(CHANGES);
    let dir = tempdir().expect("a directory");
    fs::write(dir.path().join("settings.toml"), SETTINGS).expect("a file");
    let serving = Arc::new(RwLock::new(start(dir.path(), database)));
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (serving, done) = (Arc::clone(&serving), Arc::clone(&done));
            std::thread::spawn(move || change(&serving, &done, client, changes))
        })
        .collect();
    let mut kills = 0;
    let mut born = Instant::now();
    while clients.iter().any(|client| !client.is_finished()) {
        std::thread::park_timeout(Duration::from_millis(20));
        if born.elapsed() >= LIFE {
            let mut server = serving.write().expect("nobody panics");
            *server = {
                server.end();
                start(dir.path(), database)
            };
            (kills, born) = (kills + 1, Instant::now());
        }
    }
    let acknowledged: BTreeSet<String> =
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
    let serving = serving.read().expect("nobody panics");
    let log = all(&serving, "/events?filter=nodes.*.*", "sequence");
    let in_log: BTreeSet<&str> = log.iter().filter_map(|event| event["object"]["name"].as_str()).collect();
    let missing: Vec<&String> = acknowledged.iter().filter(|name| !in_log.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "acknowledged, and not in the log: {missing:?}");
    for (subscription, action) in [("one", None), ("other", Some("update"))] {
        let wanted: BTreeSet<i64> = log
            .iter()
            .filter(|event| action.is_none_or(|action| event["action"] == action))
            .filter_map(|event| event["sequence"].as_i64())
            .collect();
        let heard = heard_at_last(&serving, subscription, &wanted);
        check_order(&heard, subscription);
        let repeated = heard.len() - wanted.len();
        eprintln!("{subscription}: {} events, {repeated} of them again, {kills} kills", wanted.len());
    }
    assert!(kills > 0, "nobody was killed");
}

/// Makes its share of the changes; the names that the server acknowledged.
fn change(serving: &RwLock<Serving>, done: &AtomicUsize, client: usize, changes: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut nodes: Vec<Value> = Vec::new();
    let mut number = 0;
    while done.fetch_add(1, Ordering::Relaxed) < changes {
        number += 1;
        // Now and then one that is tried again, and those behind it with it.
        let fails = number % 25 == 0;
        let name = if fails { "fails once".to_owned() } else { format!("{client}-{number}") };
        let request = match nodes.get(number % NODES) {
            Some(node) => ("PUT", format!("/nodes/{node}"), json!({"name": name})),
            None => ("POST", "/nodes".to_owned(), json!({"mac": mac(client * 100_000 + number), "name": name})),
        };
        let answer = {
            let serving = serving.read().expect("nobody panics");
            serving.try_answer(request.0, &request.1, &request.2)
        };
        match answer {
            Ok((200 | 201, answer)) => {
                acknowledged.extend((!fails).then_some(name));
                if request.0 == "POST" {
                    nodes.push(answer["id"].clone());
                }
            }
            // It was killed, or is not ready yet. Whether it was done nobody knows, and nobody has promised anything.
            Ok((503, _)) | Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
            Ok((status, answer)) => panic!("{status}: {answer}"),
        }
    }
    acknowledged
}

/// What an extension heard, once that is all of this. It may take as long as it goes on: behind many changes there is much to hear.
fn heard_at_last(serving: &Serving, subscription: &str, wanted: &BTreeSet<i64>) -> Vec<(i64, String)> {
    let (mut count, mut since) = (0, Instant::now());
    loop {
        let heard = heard_by(serving, subscription);
        let known: BTreeSet<i64> = heard.iter().map(|(sequence, _)| *sequence).collect();
        if wanted.is_subset(&known) {
            return heard;
        }
        if heard.len() > count {
            (count, since) = (heard.len(), Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{subscription} heard of {count} events, and of no other for a minute");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// What an extension heard: the sequence number, and the thing.
fn heard_by(serving: &Serving, subscription: &str) -> Vec<(i64, String)> {
    let rows = serving.request("GET", "/listener/rows", &Value::Null, 200);
    let of_it = list(&rows).iter().filter(|row| row[0] == subscription);
    of_it
        .map(|row| {
            let (sequence, what) = row[1].as_str().and_then(|told| told.split_once(' ')).expect("a number and a name");
            (sequence.parse().expect("a number"), what.rsplit('.').next().expect("a key").to_owned())
        })
        .collect()
}

/// What is heard again may be behind, but nothing is heard for the first time after what came later.
fn check_order(heard: &[(i64, String)], subscription: &str) {
    let (mut known, mut last) = (BTreeSet::new(), BTreeMap::<&str, i64>::new());
    for (sequence, key) in heard {
        if !known.insert(*sequence) {
            continue;
        }
        let before = last.insert(key, *sequence).unwrap_or_default();
        assert!(before < *sequence, "{subscription} heard of {sequence} of node {key} after {before}");
    }
}

/// All elements of a list that is read in parts, after what a field of the last one says.
fn all(serving: &Serving, path: &str, field: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), json!(0));
    loop {
        let more = serving.request("GET", &format!("{path}&limit=1000&after={after}"), &Value::Null, 200);
        let Some(last) = list(&more).last() else { return all };
        after = last[field].clone();
        all.extend(list(&more).iter().cloned());
    }
}
