//! The command line: exit codes, and messages that say what is wrong, where, and what to do.

use crate::process::{Serving, finish, rivetgun, run};
use serde_json::{Value, json};
use std::{fs, net::TcpListener, path::Path, time::Instant};
use tempfile::{TempDir, tempdir};

#[test]
fn wrong_arguments_end_with_2_and_help_with_0() {
    let dir = dir();
    for arguments in [
        &["nonsense"][..],
        &["serve", "--nonsense"],
        &["serve", "--listen", "nonsense"],
        &["serve", "--listen", "127.0.0.1"],
        &["import", "--cluster", "c"],
        &["import", "file.yaml"],
        &["migrate"],
        &["migrate", "down"],
        &["completions", "nonsense"],
        &[],
    ] {
        let finished = run(dir.path(), arguments).expect(2);
        assert!(finished.stderr.contains("Usage") || finished.stderr.contains("--help"), "{arguments:?}: {finished:?}");
    }
    let help = run(dir.path(), &["--help"]).expect(0);
    for word in ["serve", "demo", "import", "migrate", "extensions", "RIVETGUN_DATABASE_URL", "RIVETGUN_CONFIG"] {
        assert!(help.stdout.contains(word), "{word} in {}", help.stdout);
    }
    assert!(run(dir.path(), &["--version"]).expect(0).stdout.starts_with("rivetgun 0."));
    assert!(!dir.path().join("state").exists(), "nothing was made");
}

#[test]
fn completions_and_error_pages_are_written_to_standard_output() {
    let dir = dir();
    assert!(run(dir.path(), &["completions", "bash"]).expect(0).stdout.contains("_rivetgun"));
    for code in ["RG0101", "rg0409"] {
        assert!(!run(dir.path(), &["error", code]).expect(0).stdout.trim().is_empty(), "{code}");
    }
    run(dir.path(), &["error", "RG9999"]).expect(1).tells(&["RG9999", "RG0101"]);
}

#[test]
fn a_wrong_settings_file_is_told_with_its_place() {
    let dir = dir();
    for (text, parts) in [
        ("listen = \"127.0.0.1:0\"\nnonsense = 1\n", &["line 2", "nonsense"][..]),
        ("\n\n[limits]\nbody_bytes = \"many\"\n", &["line 4", "body_bytes"]),
        ("[orchestrators.nonsense]\n", &["line 1", "nonsense"]),
        ("[orchestrators.local]\nparallel = -1\n", &["line 2", "parallel"]),
        ("listen = \"nonsense\"\n", &["line 1", "listen"]),
        ("listen = \n", &["line 1"]),
        ("= 5", &["line 1"]),
    ] {
        let finished = with_settings(&dir, text, &["migrate", "status"]).expect(1);
        finished.tells(&["settings.toml"]);
        finished.tells(parts);
    }
    finish(rivetgun(dir.path()).args(["--config", "missing.toml", "migrate", "status"]))
        .expect(1)
        .tells(&["missing.toml", "No such file"]);
    assert!(!dir.path().join("state").exists(), "nothing was made");
}

#[test]
fn what_is_wrong_with_the_sections_of_extensions_is_told_all_at_once() {
    let dir = dir();
    let text = "[extensions.nonsense]\na = 1\n[extensions.additional_logger]\npage_size = \"many\"\n";
    for command in [&["serve"][..], &["migrate", "up"], &["extensions", "list"]] {
        let finished = with_settings(&dir, text, command).expect(1);
        finished.tells(&["2 problems", "RG0105", "extensions.nonsense", "settings.toml"]);
        finished.tells(&["RG0106", "extensions.additional_logger.page_size"]);
    }
    for (text, key) in [
        ("[extensions.additional_logger]\nnonsense = 1\n", "extensions.additional_logger.nonsense"),
        ("[extensions.additional_logger]\npage_size = -1\n", "extensions.additional_logger.page_size"),
        ("[extensions.additional_logger]\non_fault = \"nonsense\"\n", "extensions.additional_logger.on_fault"),
        ("[extensions.additional_logger]\nhook_timeout_ms = \"x\"\n", "extensions.additional_logger.hook_timeout_ms"),
    ] {
        with_settings(&dir, text, &["extensions", "list"]).expect(1).tells(&["RG0106", key, "settings.toml"]);
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_told_without_its_password() {
    let dir = dir();
    let folder = format!("sqlite://{}?mode=rwc", dir.path().display());
    fs::write(dir.path().join("text.sqlite"), "this is no database, it is a long enough text".repeat(100))
        .expect("a file");
    let text = format!("sqlite://{}", dir.path().join("text.sqlite").display());
    for url in [
        "sqlite:///there/is/no/such/folder/x.sqlite?mode=rwc",
        &folder,
        &text,
        "postgres://somebody:hunter2@127.0.0.1:1/rivetgun",
        "postgres://somebody:hunter2@127.0.0.1:nonsense/rivetgun",
        "postgres://somebody:hunter2@/rivetgun?nonsense=1&host=127.0.0.1&port=1",
        "nonsense",
        "",
    ] {
        let start = Instant::now();
        let finished = run(dir.path(), &["--database-url", url, "migrate", "up"]).expect(1);
        assert!(start.elapsed().as_secs() < 20, "{url} took {:?}", start.elapsed());
        assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
        finished.tells(&["RG02"]);
    }
}

#[test]
fn a_database_of_a_kind_that_is_not_known_is_told_without_its_password() {
    let dir = dir();
    let finished =
        run(dir.path(), &["--database-url", "mysql://somebody:hunter2@127.0.0.1/x", "migrate", "up"]).expect(1);
    finished.tells(&["RG02", "mysql"]);
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
}

#[test]
fn a_password_among_the_parameters_of_a_database_url_is_not_told_either() {
    let dir = dir();
    let url = "postgres://127.0.0.1:1/rivetgun?user=somebody&password=hunter2";
    let finished = run(dir.path(), &["--database-url", url, "migrate", "up"]).expect(1);
    finished.tells(&["RG0202", "127.0.0.1"]);
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
}

#[test]
fn a_state_directory_that_cannot_be_used_is_told() {
    let dir = dir();
    fs::write(dir.path().join("file"), "").expect("a file");
    for state_dir in ["file", "file/below"] {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate", "up"]] {
            let finished = finish(rivetgun(dir.path()).args(["--state-dir", state_dir]).args(command)).expect(1);
            finished.tells(&["RG0201", state_dir, "--state-dir"]);
        }
    }
    fs::create_dir(dir.path().join("state")).expect("a folder");
    fs::write(dir.path().join("state/server-id"), "nonsense").expect("a file");
    run(dir.path(), &["migrate", "up"]).expect(1).tells(&["RG0201", "server-id"]);
}

#[test]
fn a_port_that_is_taken_is_told_before_anything_is_migrated() {
    let dir = dir();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    run(dir.path(), &["serve", "--listen", &address]).expect(1).tells(&["RG0204", &address, "--listen"]);
    assert!(!dir.path().join("state/rivetgun.sqlite").exists());
}

#[test]
fn one_state_directory_is_served_by_one_server() {
    let dir = dir();
    let serving = Serving::start(dir.path(), &[]);
    run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]).expect(1).tells(&["RG0205", "--state-dir"]);
    serving.request("GET", "/info", &Value::Null, 200);
    serving.kill();
    // The lock goes with the process, however that ended.
    Serving::start(dir.path(), &[]).request("GET", "/info", &Value::Null, 200);
}

#[test]
fn migrations_are_pending_applied_and_applied_once() {
    let dir = dir();
    let status = run(dir.path(), &["migrate", "status"]).expect(0).stdout;
    assert!(status.contains("pending") && !status.contains("applied"), "{status}");
    for owner in ["core", "additional_logger"] {
        assert!(status.lines().any(|line| line.starts_with(owner)), "{owner} in {status}");
    }
    let serve = ["serve", "--listen", "127.0.0.1:0", "--no-migrate"];
    run(dir.path(), &serve).expect(1).tells(&["RG0206", "migrate up"]);
    let up = run(dir.path(), &["migrate", "up"]).expect(0).stdout;
    assert!(up.contains("applied core: ") && up.contains("applied additional_logger: "), "{up}");
    let status = run(dir.path(), &["migrate", "status"]).expect(0).stdout;
    assert!(status.contains("applied") && !status.contains("pending"), "{status}");
    assert_eq!(run(dir.path(), &["migrate", "up"]).expect(0).stdout.trim(), "nothing is pending");
    let mut command = rivetgun(dir.path());
    command.args(["--state-dir", "state"]).args(serve);
    Serving::of(command, dir.path()).request("GET", "/nodes", &Value::Null, 200);
}

#[test]
fn several_servers_may_migrate_one_database_at_once() {
    let dir = dir();
    let commands: Vec<_> = (0..4)
        .map(|_| {
            let path = dir.path().to_owned();
            std::thread::spawn(move || run(&path, &["migrate", "up"]))
        })
        .collect();
    for command in commands {
        command.join().expect("it ran").expect(0);
    }
    assert!(!run(dir.path(), &["migrate", "status"]).expect(0).stdout.contains("pending"));
}

#[test]
fn extensions_are_listed_for_people_and_for_programs() {
    let dir = dir();
    let table = run(dir.path(), &["extensions", "list"]).expect(0).stdout;
    assert!(table.contains("NAME") && table.contains("additional_logger"), "{table}");
    let listed = run(dir.path(), &["extensions", "list", "--json"]).expect(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("it is JSON");
    let logger = listed.as_array().and_then(|list| list.iter().find(|found| found["name"] == "additional_logger"));
    let logger = logger.expect("it is listed");
    for field in ["version", "description", "crate", "file", "line", "hooks", "urls", "pipelines", "migrations"] {
        assert!(logger.get(field).is_some(), "{field}");
    }
    assert_eq!(logger["crate"], json!("additional-logger"));
    assert_eq!(logger["urls"][0]["methods"], json!({"GET": "viewer", "DELETE": "operator"}));
    assert!(!dir.path().join("state").exists(), "no database was needed");
}

#[test]
fn colours_end_where_no_terminal_is_and_come_when_asked_for() {
    let dir = dir();
    let failing = ["--config", "missing.toml", "migrate", "status"];
    let colours = |command: &mut std::process::Command| finish(command).expect(1).stderr.contains('\u{1b}');
    assert!(!colours(rivetgun(dir.path()).args(failing)));
    assert!(!colours(rivetgun(dir.path()).args(failing).env("NO_COLOR", "1")));
    assert!(!colours(rivetgun(dir.path()).args(failing).args(["--color", "never"])));
    assert!(colours(rivetgun(dir.path()).args(failing).args(["--color", "always"])));
}

#[test]
fn flags_stand_over_the_environment_and_the_environment_over_the_file() {
    let dir = dir();
    fs::write(dir.path().join("settings.toml"), "state_dir = \"of-file\"\nlisten = \"127.0.0.1:1\"\n").expect("a file");
    let status = |command: &mut std::process::Command| {
        finish(command.args(["migrate", "up"])).expect(0);
    };
    status(rivetgun(dir.path()).args(["--config", "settings.toml"]));
    status(rivetgun(dir.path()).env("RIVETGUN_CONFIG", "settings.toml").env("RIVETGUN_STATE_DIR", "of-environment"));
    status(rivetgun(dir.path()).env("RIVETGUN_STATE_DIR", "not-this").args(["--state-dir", "of-flag"]));
    status(
        rivetgun(dir.path()).env("RIVETGUN_STATE_DIR", "other").env("RIVETGUN_DATABASE_URL", "sqlite://x.db?mode=rwc"),
    );
    for state_dir in ["of-file", "of-environment", "of-flag"] {
        assert!(dir.path().join(state_dir).join("rivetgun.sqlite").exists(), "{state_dir}");
    }
    assert!(dir.path().join("x.db").exists() && !dir.path().join("not-this").exists());
    let mut command = rivetgun(dir.path());
    command.args(["--config", "settings.toml", "serve"]).env("RIVETGUN_LISTEN", "127.0.0.1:0");
    Serving::of(command, dir.path()).request("GET", "/nodes", &Value::Null, 200);
}

#[test]
fn a_server_tells_where_it_listens_and_logs_as_asked() {
    let dir = dir();
    let serving = Serving::start(dir.path(), &["--log-json"]);
    let info = serving.request("GET", "/info", &Value::Null, 200);
    for field in ["version", "features", "database", "extensions"] {
        assert!(info.get(field).is_some(), "{field}");
    }
    assert_eq!(info["database"], "sqlite");
    let problem = serving.request("POST", "/nodes", &json!({}), 400);
    assert_eq!(problem["code"], "RG0400");
    let log = crate::process::wait_for("the request in the log", || {
        Some(serving.log()).filter(|log| log.contains("\"answered\""))
    });
    assert!(log.contains(serving.address()), "{log}");
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

fn dir() -> TempDir {
    tempdir().expect("a directory")
}

/// Runs a command with this settings file, and with the state directory `state` beside it.
fn with_settings(dir: &TempDir, text: &str, arguments: &[&str]) -> crate::process::Finished {
    let path: &Path = dir.path();
    fs::write(path.join("settings.toml"), text).expect("a file");
    run(path, &[&["--config", "settings.toml"], arguments].concat())
}
