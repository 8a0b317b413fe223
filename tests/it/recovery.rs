//! Servers end in the middle of work, in every way; what they leave is whole, and told.

use crate::{
    common::{contains, each, list, mac},
    process::{Serving, database_of, finish, rivetgun, run, wait_for},
};
use rivetgun::testkit::TestServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    net::TcpStream,
    os::unix::process::CommandExt,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tempfile::tempdir;

#[test]
fn a_task_that_ran_when_the_server_was_killed_fails_with_a_reason() {
    let dir = tempdir().expect("a directory");
    let serving = serve_with_a_slow_deploy(dir.path());
    let (cluster, node, task) = deploy_one(&serving);
    let command = wait_for_the_command(dir.path());
    serving.kill();
    assert!(is_alive(&command), "it goes on without the server");

    let serving = Serving::start(dir.path(), &["--config", "settings.toml"]);
    let task = ended(&serving, &task);
    assert!(!is_alive(&command), "it was ended first");
    assert_eq!(task["status"], "error");
    assert!(contains(&task["message"], "the server was stopped"), "{task}");
    assert!(task["time_end"].is_string());
    let node_now = serving.request("GET", &format!("/nodes/{node}"), &Value::Null, 200);
    assert_eq!((&node_now["status"], &node_now["error_type"]), (&json!("error"), &json!("deploy")));
    assert!(contains(&node_now["error_msg"], "the server was stopped"), "{node_now}");
    let cluster_now = serving.request("GET", &format!("/clusters/{cluster}"), &Value::Null, 200);
    assert_eq!(cluster_now["status"], "error");
    // It can be asked for again.
    let again = serving.request("PUT", &format!("/clusters/{cluster}/deploy"), &Value::Null, 202);
    end(&wait_for_the_command(dir.path()));
    assert_eq!(ended(&serving, &again)["status"], "error", "the command was ended by this test");
}

#[test]
fn all_that_a_killed_server_left_running_is_ended_by_the_next_and_nothing_else() {
    for (name, deploy, the_leader_ends) in [
        ("grandchildren", "sleep 1000 & (sleep 1000 & tell $!; wait)", false),
        ("deaf", "trap '' TERM; sleep 1000 & tell $!; wait", false),
        ("without a leader", "sleep 1000 & tell $!; wait", true),
    ] {
        let dir = tempdir().expect("a directory");
        let tell = "tell() { echo $$ >leader; echo $1 >command.part; mv command.part command; }";
        let settings = format!("[orchestrators.local]\ndeploy = \"\"\"{tell}; {deploy}\"\"\"\n");
        fs::write(dir.path().join("settings.toml"), settings).expect("a file");
        let serving = Serving::start(dir.path(), &["--config", "settings.toml"]);
        let (_, node, task) = deploy_one(&serving);
        let child = wait_for_the_command(dir.path());
        let leader = read_id(&dir.path().join("leader"));
        let running = dir.path().join("state/running");
        let files = || fs::read_dir(&running).expect("a folder").map(|file| file.expect("a file").path());
        let file = files().next().expect("the group is kept");
        serving.kill();
        if the_leader_ends {
            end(&leader);
            wait_for("the end of the leader", || (!is_alive(&leader)).then_some(()));
        }
        // Somebody else, who has by chance the number of a process of ours that ended long ago.
        let mut stranger = std::process::Command::new("sleep").arg("1000").process_group(0).spawn().expect("it runs");
        let mut kept: Value = serde_json::from_str(&fs::read_to_string(&file).expect("a file")).expect("JSON");
        kept["pid"] = stranger.id().into();
        fs::write(running.join("stranger"), kept.to_string()).expect("a file");
        fs::write(running.join("broken"), "{").expect("a file");

        let serving = Serving::start(dir.path(), &["--config", "settings.toml"]);
        assert_eq!(ended(&serving, &task)["status"], "error", "{name}");
        assert!(!is_alive(&leader) && !is_alive(&child), "{name}");
        let node = serving.request("GET", &format!("/nodes/{node}"), &Value::Null, 200);
        assert!(contains(&node["error_msg"], "the server was stopped"), "{node}");
        assert_eq!(files().count(), 0, "{name}");
        assert_eq!(stranger.try_wait().expect("it can be waited for"), None, "strangers are left alone");
        stranger.kill().expect("it runs");
        stranger.wait().expect("it ends");
    }
}

#[test]
fn a_server_that_is_asked_to_end_settles_its_tasks_first() {
    let dir = tempdir().expect("a directory");
    let serving = serve_with_a_slow_deploy(dir.path());
    let (_, node, task) = deploy_one(&serving);
    let command = wait_for_the_command(dir.path());
    let (status, took) = serving.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(15), "it took {took:?}");
    wait_for("the end of the command", || (!is_alive(&command)).then_some(()));

    let serving = Serving::start(dir.path(), &["--config", "settings.toml"]);
    let task = serving.request("GET", &format!("/tasks/{}", task["id"]), &Value::Null, 200);
    assert_eq!(task["status"], "error");
    assert!(contains(&task["message"], "the server was stopped"), "{task}");
    let node = serving.request("GET", &format!("/nodes/{node}"), &Value::Null, 200);
    assert_eq!((&node["status"], &node["error_type"]), (&json!("error"), &json!("deploy")));
    let log = serving.request("GET", &format!("/tasks/{}/log", task["id"]), &Value::Null, 200);
    assert!(list(&log).iter().any(|line| line["line"] == "it begins"), "the log is kept: {log}");
    assert_eq!(serving.terminate().0.code(), Some(0));
}

#[test]
fn a_client_that_never_finishes_its_request_does_not_keep_a_server_that_is_asked_twice() {
    let dir = tempdir().expect("a directory");
    let serving = Serving::start(dir.path(), &[]);
    let mut hanging = TcpStream::connect(serving.address()).expect("the server accepts");
    let head =
        "POST /api/v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    hanging.write_all(head.as_bytes()).expect("the server reads");
    // Once it refuses connections it has heard the first signal.
    serving.signal(Signal::TERM);
    wait_for("the end of listening", || TcpStream::connect(serving.address()).is_err().then_some(()));
    let (status, took) = serving.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}

#[test]
fn after_a_full_disk_what_was_acknowledged_is_there() {
    let dir = tempdir().expect("a directory");
    // A limit on the size of files is a full disk that a test can have, and take away again.
    let mut command = std::process::Command::new("sh");
    let line = "trap '' XFSZ; ulimit -S -f 2000; exec \"$0\" --state-dir state serve --listen 127.0.0.1:0";
    command.args(["-c", line, env!("CARGO_BIN_EXE_rivetgun")]).current_dir(dir.path());
    let serving = Serving::of(command, dir.path());
    let create = |serving: &Serving, number: usize| {
        let body = json!({"mac": mac(number), "meta": {"much": "x".repeat(100_000)}});
        serving.answer("POST", "/nodes", &body).0
    };
    let full: Vec<u16> = (0..30).map(|number| create(&serving, number)).collect();
    assert!(full.iter().all(|status| [201, 503].contains(status)) && full.ends_with(&[503]), "{full:?}");

    let pid = serving.pid().to_string();
    let lifted = finish(std::process::Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]));
    assert_eq!(lifted.code, Some(0), "{lifted:?}");
    let free: Vec<u16> = (100..130).map(|number| create(&serving, number)).collect();
    assert_eq!(free, [201; 30]);
    serving.kill();

    let serving = Serving::start(dir.path(), &[]);
    let acknowledged = full.iter().chain(&free).filter(|status| **status == 201).count();
    let kept = serving.request("GET", "/nodes/allocation/stats", &Value::Null, 200);
    assert_eq!(kept["total"], acknowledged);
}

#[test]
fn a_log_that_cannot_be_written_does_not_end_the_server() {
    let dir = tempdir().expect("a directory");
    let mut command = std::process::Command::new("sh");
    let line =
        format!("exec '{}' --state-dir state serve --listen 127.0.0.1:0 2>/dev/full", env!("CARGO_BIN_EXE_rivetgun"));
    command.arg("-c").arg(line).current_dir(dir.path());
    let serving = Serving::of(command, dir.path());
    serving.request("POST", "/nodes", &json!({"mac": "02:00:00:00:00:01"}), 201);
    assert_eq!(list(&serving.request("GET", "/nodes", &Value::Null, 200)).len(), 1);
}

#[test]
fn a_task_that_had_not_begun_when_the_server_was_killed_ends() {
    let dir = tempdir().expect("a directory");
    // Killed at many moments after the answer, the task is pending, or running, or over.
    let serving = Serving::start(dir.path(), &[]);
    let cluster = serving.request("POST", "/clusters", &json!({"name": "c"}), 201)["id"].clone();
    serving.kill();
    let mut tasks = Vec::new();
    for number in 0..6 {
        let serving = Serving::start(dir.path(), &[]);
        let node = serving.request("POST", "/nodes", &json!({"mac": mac(number)}), 201)["id"].clone();
        let membership = json!([{"id": node, "roles": ["a"]}]);
        serving.request("POST", &format!("/clusters/{cluster}/assignment"), &membership, 200);
        let path = format!("/clusters/{cluster}/provision?nodes={node}");
        tasks.push(serving.request("PUT", &path, &Value::Null, 202));
        std::thread::park_timeout(Duration::from_millis(3 * u64::try_from(number).expect("a few")));
        serving.kill();
        let serving = Serving::start(dir.path(), &[]);
        for task in &tasks {
            ended(&serving, task);
        }
        let nodes = serving.request("GET", "/nodes", &Value::Null, 200);
        let settled = |status: &&Value| **status == "provisioned" || **status == "error";
        assert!(each(&nodes, "status").iter().all(settled), "{nodes}");
    }
}

#[test]
fn an_import_that_is_killed_leaves_nothing_or_everything() {
    const DOCUMENTS: usize = 300;
    let dir = tempdir().expect("a directory");
    let files: Vec<String> = (0..DOCUMENTS).map(|number| write_document(dir.path(), number)).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    run(dir.path(), &["migrate", "up"]).expect(0);
    let start = Instant::now();
    run(dir.path(), &[&["import", "--cluster", "whole"], files.as_slice()].concat()).expect(0);
    let whole = start.elapsed();
    for moment in 1..=8 {
        let mut command = rivetgun(dir.path());
        command.args(["--state-dir", "state", "import", "--cluster", &format!("killed {moment}")]).args(&files);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let start = Instant::now();
        while start.elapsed() < whole * moment / 9 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        // It may be done already.
        drop(child.kill());
        child.wait().expect("it ends");
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let server = TestServer::start(Some(database_of(dir.path())), "").await;
        let clusters = server.get("/clusters").await.expect(200);
        let mut members = 0;
        for cluster in list(&clusters) {
            let nodes = server.get(&format!("/nodes?cluster_id={}", cluster["id"])).await.expect(200);
            assert_eq!(list(&nodes).len(), DOCUMENTS, "{cluster}");
            members += DOCUMENTS;
        }
        assert!(members < 9 * DOCUMENTS, "no import was killed in time");
        let stats = server.get("/nodes/allocation/stats").await.expect(200);
        assert_eq!(stats, json!({"total": members, "unallocated": 0}));
        let told = server.get("/notifications/stats").await.expect(200);
        assert_eq!(told["total"], members, "one for each node that is there");
    });
}

/// A server whose deployments last until somebody ends them; each writes its id to the file `command`.
fn serve_with_a_slow_deploy(dir: &Path) -> Serving {
    let deploy = "echo it begins; echo $$ > command.part; mv command.part command; exec sleep 1000";
    fs::write(dir.join("settings.toml"), format!("[orchestrators.local]\ndeploy = '{deploy}'\n")).expect("a file");
    Serving::start(dir, &["--config", "settings.toml"])
}

/// Provisions a cluster of one node, and begins to deploy it: the ids of both, and the task.
fn deploy_one(serving: &Serving) -> (Value, Value, Value) {
    let node = serving.request("POST", "/nodes", &json!({"mac": mac(1)}), 201)["id"].clone();
    let cluster = serving.request("POST", "/clusters", &json!({"name": "c", "nodes": [node]}), 201)["id"].clone();
    let task = serving.request("PUT", &format!("/clusters/{cluster}/provision"), &Value::Null, 202);
    assert_eq!(ended(serving, &task)["status"], "ready");
    let task = serving.request("PUT", &format!("/clusters/{cluster}/deploy"), &Value::Null, 202);
    (cluster, node, task)
}

fn ended(serving: &Serving, task: &Value) -> Value {
    let path = format!("/tasks/{}", task["id"]);
    wait_for("the end of a task", || {
        let task = serving.request("GET", &path, &Value::Null, 200);
        (task["status"] == "ready" || task["status"] == "error").then_some(task)
    })
}

/// The id of the command's process, once it runs.
fn wait_for_the_command(dir: &Path) -> Pid {
    let path = dir.join("command");
    wait_for("the command", || path.exists().then_some(()));
    let id = read_id(&path);
    fs::remove_file(path).expect("the file was there");
    id
}

fn read_id(path: &Path) -> Pid {
    let id = fs::read_to_string(path).expect("a file");
    Pid::from_raw(id.trim().parse().expect("an id")).expect("an id")
}

fn is_alive(command: &Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", command.as_raw_nonzero())).unwrap_or_default();
    // One that nobody has waited for yet has ended as well.
    !state.is_empty() && !state.contains(") Z ")
}

/// Ends what the server left running when it was killed.
fn end(command: &Pid) {
    // It may have ended with the server.
    let _ = kill_process(*command, Signal::KILL);
}

fn write_document(dir: &Path, number: usize) -> String {
    let name = format!("{number}.yaml");
    let lines: String = (0..200).map(|line| format!("key_{line}: value {line} of {number}\n")).collect();
    fs::write(dir.join(&name), format!("fqdn: node-{number}.example.org\n{lines}")).expect("a file");
    name
}
