//! `kill -9` at random moments of the life of a cluster: after each restart every task ends, and what is shown agrees.

use crate::{
    common::list,
    outside::{Amqp, Local, Outside, Webhook},
    process::{Serving, wait_for},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    time::{Duration, Instant},
};
use tempfile::tempdir;

/// How often the server is killed in each test; `RIVETGUN_TEST_KILLS` says otherwise.
const KILLS: usize = 9;

/// How long the tasks of a killed server may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_killed_server_is_consistent_after_its_restart_local_sqlite() {
    live_and_die(&Local, None);
}

#[test]
fn a_killed_server_is_consistent_after_its_restart_local_postgres() {
    on_postgres(|url| live_and_die(&Local, Some(url)));
}

#[test]
fn a_killed_server_is_consistent_after_its_restart_amqp_sqlite() {
    if let Some(outside) = Amqp::start() {
        live_and_die(&outside, None);
    }
}

#[test]
fn a_killed_server_is_consistent_after_its_restart_amqp_postgres() {
    if let Some(outside) = Amqp::start() {
        on_postgres(|url| live_and_die(&outside, Some(url)));
    }
}

#[test]
fn a_killed_server_is_consistent_after_its_restart_webhook_sqlite() {
    live_and_die(&Webhook::start(), None);
}

#[test]
fn a_killed_server_is_consistent_after_its_restart_webhook_postgres() {
    on_postgres(|url| live_and_die(&Webhook::start(), Some(url)));
}

fn on_postgres(test: impl FnOnce(&str)) {
    match rivetgun::testkit::new_postgres_database() {
        Ok(url) => test(&url),
        Err(reason) => rivetgun::testkit::skip("PostgreSQL", &reason),
    }
}

/// Lives one life after the other, and is killed so often in the middle of it.
fn live_and_die(outside: &impl Outside, database: Option<&str>) {
    let dir = tempdir().expect("a directory");
    fs::write(dir.path().join("settings.toml"), outside.settings()).expect("a file");
    let mut moments = Moments::new();
    let mut life = Life { outside, macs: 0 };
    let start = || start(dir.path(), database, outside);
    let kills = std::env::var("RIVETGUN_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    for kill in 0..kills {
        let serving = start();
        let (pid, moment) = (serving.pid(), moments.next());
        let killer = std::thread::spawn(move || {
            std::thread::park_timeout(moment);
            let pid = Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid");
            kill_process(pid, Signal::KILL).expect("it runs");
        });
        let told = loop {
            if let Err(error) = life.step(&serving) {
                break error;
            }
        };
        killer.join().expect("it kills");
        assert!(told.kind() != io::ErrorKind::InvalidData, "{told}");
        drop(serving);
        let serving = start();
        settle(&serving, outside, &format!("kill {kill}, seed {}", moments.seed));
        check(&serving, &format!("kill {kill}, after {moment:?}, seed {}", moments.seed));
        serving.terminate();
    }
    // Whatever state that left, the life goes on from there, to its end.
    let serving = start();
    let deletions = || {
        let tasks = serving.request("GET", "/tasks?status=ready", &Value::Null, 200);
        list(&tasks).iter().filter(|task| task["name"] == "cluster_deletion").count()
    };
    let known = deletions();
    wait_for("the end of a life", || {
        life.step(&serving).expect("nobody kills");
        (deletions() > known).then_some(())
    });
    let tasks = serving.request("GET", "/tasks", &Value::Null, 200);
    let names: BTreeSet<&str> = list(&tasks).iter().filter_map(|task| task["name"].as_str()).collect();
    let whole_life = ["cluster_deletion", "deploy", "deployment", "provision", "reset_environment", "stop_deployment"];
    assert_eq!(names, BTreeSet::from(whole_life), "seed {}", moments.seed);
    outside.check_repetitions();
}

fn start(dir: &Path, database: Option<&str>, outside: &impl Outside) -> Serving {
    let mut arguments = vec!["--config", "settings.toml"];
    if let Some(url) = database {
        arguments.extend(["--database-url", url]);
    }
    let serving = Serving::start(dir, &arguments);
    outside.reaches(serving.address());
    serving
}

/// When to kill.
struct Moments {
    seed: u64,
    state: u64,
}

impl Moments {
    fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let random = || RandomState::new().hash_one("a moment");
        let seed = std::env::var("RIVETGUN_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(random);
        Self { seed, state: seed | 1 }
    }

    fn next(&mut self) -> Duration {
        // xorshift64
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Duration::from_millis(self.state % 700)
    }
}

/// The life of a cluster of four nodes, taken up wherever it is found.
struct Life<'a, O> {
    outside: &'a O,
    macs: usize,
}

impl<O: Outside> Life<'_, O> {
    /// Does what comes next, or waits for a moment while something is being done.
    fn step(&mut self, serving: &Serving) -> io::Result<()> {
        let get = |path: &str| ask(serving, "GET", path, &Value::Null);
        let clusters = get("/clusters")?;
        let Some(cluster) = list(&clusters).first() else {
            return ask(serving, "POST", "/clusters", &json!({"name": "c", "orchestrator": self.outside.name()}))
                .map(drop);
        };
        let path = format!("/clusters/{}", cluster["id"]);
        let put = |what: &str| ask(serving, "PUT", &format!("{path}/{what}"), &Value::Null).map(drop);
        let endless = |endless: Value| {
            self.outside.holds(endless == true);
            ask(serving, "PATCH", &format!("{path}/attributes"), &json!({"endless": endless})).map(drop)
        };
        let tasks = get("/tasks?order_by=-id&limit=5")?;
        let running = list(&tasks).iter().find(|task| task["status"] == "pending" || task["status"] == "running");
        let is_endless = get(&format!("{path}/attributes"))?["endless"] == true;
        if let Some(task) = running {
            if is_endless && task["name"] == "deployment" {
                return put("stop");
            }
            std::thread::park_timeout(Duration::from_millis(5));
            return Ok(());
        }
        let nodes = get("/nodes")?;
        let nodes = list(&nodes);
        if nodes.len() < 4 && cluster["status"] == "new" {
            self.macs += 1;
            let mac = format!("02:00:00:00:{:02x}:{:02x}", self.macs / 256, self.macs % 256);
            return ask(serving, "POST", "/nodes", &json!({"mac": mac})).map(drop);
        }
        if let Some(free) = nodes.iter().find(|node| node["cluster"].is_null()) {
            let wanted = json!([{"id": free["id"], "roles": ["a"]}]);
            return ask(serving, "POST", &format!("{path}/assignment"), &wanted).map(drop);
        }
        let any = |status: &str| nodes.iter().any(|node| node["status"] == status);
        let has_lived =
            nodes.iter().any(|node| node["roles"] == json!([]) && node["pending_roles"] == json!(["a", "b"]));
        let in_deletion = nodes.iter().any(|node| node["error_type"] == "deletion");
        if in_deletion || (has_lived && any("provisioned")) {
            return ask(serving, "DELETE", &path, &Value::Null).map(drop);
        }
        if any("stopped") {
            endless(Value::Null)?;
            return put("reset");
        }
        if has_lived {
            return put("provision");
        }
        if nodes.iter().any(|node| node["status"] != "ready" || node["pending_roles"] != json!([])) {
            endless(Value::Null)?;
            return put("changes");
        }
        if nodes.iter().all(|node| node["roles"] == json!(["a", "b"])) {
            endless(json!(true))?;
            let ids: Vec<String> = nodes.iter().map(|node| node["id"].to_string()).collect();
            return put(&format!("deploy?nodes={}", ids.join(",")));
        }
        let wanted: Value = nodes.iter().map(|node| json!({"id": node["id"], "roles": ["b"]})).collect();
        ask(serving, "POST", &format!("{path}/assignment"), &wanted).map(drop)
    }
}

/// Sends a request that may be refused, but not fail.
fn ask(serving: &Serving, method: &str, path: &str, body: &Value) -> io::Result<Value> {
    let (status, answer) = serving.try_answer(method, path, body)?;
    if status >= 500 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{method} {path}: {status} {answer}")));
    }
    Ok(answer)
}

/// Waits until every task has ended; one that would go on for ever is stopped.
fn settle(serving: &Serving, outside: &impl Outside, when: &str) {
    let begin = Instant::now();
    loop {
        let tasks = serving.request("GET", "/tasks?order_by=-id", &Value::Null, 200);
        let unfinished: Vec<&Value> =
            list(&tasks).iter().filter(|task| task["status"] == "pending" || task["status"] == "running").collect();
        if unfinished.is_empty() {
            return;
        }
        for task in unfinished.iter().filter(|task| task["name"] == "deployment") {
            let path = format!("/clusters/{}", task["cluster"]);
            if serving.request("GET", &format!("{path}/attributes"), &Value::Null, 200)["endless"] == true {
                // Refused where one is on its way.
                serving.answer("PUT", &format!("{path}/stop"), &Value::Null);
            }
        }
        if begin.elapsed() >= PATIENCE {
            let logs = unfinished.iter().map(|task| {
                let log = serving.request("GET", &format!("/tasks/{}/log", task["id"]), &Value::Null, 200);
                format!("{task:#}\n{log:#}\n")
            });
            let (logs, outside) = (logs.collect::<String>(), outside.seen());
            panic!("{when}: unfinished: {logs}{outside}\nthe log: {}", without_requests(&serving.log()));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn without_requests(log: &str) -> String {
    log.lines().filter(|line| !line.contains(" answered ")).map(|line| format!("{line}\n")).collect()
}

/// What must hold when nothing is being done.
fn check(serving: &Serving, when: &str) {
    let get = |path: &str| serving.request("GET", path, &Value::Null, 200);
    let (tasks, nodes, clusters) = (get("/tasks"), get("/nodes"), get("/clusters"));
    let told = get("/notifications");
    for task in list(&tasks) {
        assert_eq!((&task["progress"], task["time_end"].is_string()), (&json!(100), true), "{when}: {task}");
        let parts: Vec<&Value> = list(&tasks).iter().filter(|part| part["parent_id"] == task["id"]).collect();
        let is_well = parts.iter().all(|part| part["status"] == "ready");
        assert!(parts.is_empty() || is_well == (task["status"] == "ready"), "{when}: {task} of {parts:?}");
        let count = list(&told).iter().filter(|told| told["task"] == task["id"]).count();
        let is_told_of =
            task["parent_id"].is_null() && !task["message"].as_str().is_some_and(|it| it.starts_with("stopped"));
        assert_eq!(count, usize::from(is_told_of), "{when}: notifications of {task}");
        let kind = match task["name"].as_str() {
            Some("provision") => "provisioning_info",
            Some("deployment") => "deployment_info",
            _ => continue,
        };
        if task["status"] == "ready" {
            get(&format!("/tasks/{}/{kind}", task["id"]));
        }
    }
    for node in list(&nodes) {
        let status = node["status"].as_str().unwrap_or_default();
        assert!(!["provisioning", "deploying", "removing"].contains(&status), "{when}: {node}");
        assert_eq!(status == "error", node["error_type"].is_string(), "{when}: {node}");
        assert!(status == "discover" || !node["cluster"].is_null(), "{when}: {node}");
    }
    for cluster in list(&clusters) {
        let statuses: BTreeSet<&str> = list(&nodes)
            .iter()
            .filter(|node| node["cluster"] == cluster["id"])
            .filter_map(|node| node["status"].as_str())
            .collect();
        let status = cluster["status"].as_str().unwrap_or_default();
        assert!(!["deployment", "remove"].contains(&status), "{when}: {cluster}");
        assert!(status != "operational" || statuses == BTreeSet::from(["ready"]), "{when}: {cluster} of {statuses:?}");
        assert!(
            status != "new" || statuses.iter().all(|status| *status == "discover"),
            "{when}: {cluster} of {statuses:?}"
        );
    }
}
