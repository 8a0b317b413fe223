//! `rivetgun migrate` and starts of servers, on databases that know more, less, or something else than the build.

use crate::process::{Finished, Serving, database_of, finish, rivetgun, run};
use rivetgun::{
    prelude::sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement},
    testkit,
};
use serde_json::{Value, json};
use std::thread;
use tempfile::{TempDir, tempdir};

const LOGGER: &str = "m20261121_000001_create_entries";

#[test]
fn servers_that_start_at_once_on_an_empty_database_all_come_up() {
    let dir = dir();
    all_come_up(&dir, &format!("sqlite://{}?mode=rwc", dir.path().join("shared.sqlite").display()));
    match testkit::new_postgres_database() {
        Ok(url) => all_come_up(&dir, &url),
        Err(reason) => testkit::skip("PostgreSQL", &reason),
    }
}

fn all_come_up(dir: &TempDir, url: &str) {
    let place = |number: usize| dir.path().join(format!("{}-{number}", url.split(':').next().unwrap_or_default()));
    let start = |number: usize| {
        let (place, url) = (place(number), url.to_owned());
        std::fs::create_dir(&place).expect("a directory");
        thread::spawn(move || {
            let mut command = rivetgun(&place);
            command.args(["--state-dir", "state", "--database-url", &url, "serve", "--listen", "127.0.0.1:0"]);
            Serving::of(command, &place)
        })
    };
    let starts: Vec<_> = (0..3).map(start).collect();
    let servers: Vec<Serving> = starts.into_iter().map(|start| start.join().expect("it comes up")).collect();
    for server in &servers {
        server.request("GET", "/nodes", &Value::Null, 200);
    }
    let applied: usize = servers.iter().map(|server| server.log().matches("migrated").count()).sum();
    let owners = texts(url, "SELECT DISTINCT owner AS text FROM migration_checksums");
    assert_eq!(applied, owners.len(), "each owner is migrated by one of them: {}", servers[0].log());
    let logger = texts(url, "SELECT version AS text FROM additional_logger_migrations");
    assert_eq!(logger, [LOGGER]);
    for owner in owners {
        let known = texts(url, &format!("SELECT version AS text FROM {owner}_migrations"));
        let checked = texts(url, &format!("SELECT owner AS text FROM migration_checksums WHERE owner = '{owner}'"));
        assert_eq!(checked.len(), known.len(), "{owner}: {known:?}");
    }
}

#[test]
fn looking_at_a_database_that_is_not_there_makes_nothing() {
    let dir = dir();
    let status = run(dir.path(), &["migrate", "status"]).expect(0).stdout;
    assert!(status.contains(LOGGER) && status.contains("pending") && !status.contains("applied"), "{status}");
    let sql = run(dir.path(), &["migrate", "up", "--dry-run"]).expect(0).stdout;
    for part in ["-- core: m", &format!("-- additional_logger: {LOGGER}"), "CREATE TABLE \"nodes\"", "rolled back"] {
        assert!(sql.contains(part), "{part} in {sql}");
    }
    assert!(!dir.path().join("state").exists(), "nothing was made");
    up(&dir);
    assert_eq!(run(dir.path(), &["migrate", "up", "--dry-run"]).expect(0).stdout.trim(), "nothing is pending");
}

#[test]
fn one_owner_can_be_migrated_and_taken_back() {
    let dir = dir();
    run(dir.path(), &["migrate", "up", "--extension", "core"]).expect(0);
    assert_eq!(state_of(&dir, "additional_logger"), json!("pending"));
    let up = run(dir.path(), &["migrate", "up", "--extension", "additional_logger"]).expect(0).stdout;
    assert_eq!(up.trim(), format!("applied additional_logger: {LOGGER}"));

    let down = ["migrate", "down", "--extension", "additional_logger"];
    let tried = run(dir.path(), &[&down[..], &["--dry-run"]].concat()).expect(0).stdout;
    assert!(tried.contains("DROP TABLE \"additional_logger_entries\";"), "{tried}");
    assert_eq!(state_of(&dir, "additional_logger"), json!("applied"), "a dry run");
    assert_eq!(run(dir.path(), &down).expect(0).stdout.trim(), format!("took back additional_logger: {LOGGER}"));
    assert_eq!(state_of(&dir, "additional_logger"), json!("pending"));
    let nothing = run(dir.path(), &[&down[..], &["--all"]].concat()).expect(0).stdout;
    assert_eq!(nothing.trim(), "nothing of `additional_logger` is applied");

    run(dir.path(), &["migrate", "down", "--extension", "core"]).expect(1).tells(&["the core"]);
    for command in [&["up"][..], &["down"], &["status"], &["accept"]] {
        let command = [&["migrate"], command, &["--extension", "nonsense"]].concat();
        run(dir.path(), &command).expect(1).tells(&["`nonsense`", "core", "additional_logger"]);
    }
    for wrong in [&["--steps", "0"][..], &["--steps", "1", "--all"]] {
        run(dir.path(), &[&down[..], wrong].concat()).expect(2);
    }
}

#[test]
fn nothing_is_taken_back_or_purged_while_a_server_runs_there() {
    let dir = dir();
    let serving = Serving::start(dir.path(), &[]);
    left_behind(&dir);
    for command in [&["down", "--extension", "additional_logger"][..], &["purge", "--extension", "gone", "--yes"]] {
        let finished = run(dir.path(), &[&["migrate"], command].concat()).expect(1);
        finished.tells(&["RG0205"]);
    }
    serving.request("GET", "/additional_logger/1", &Value::Null, 200);
}

#[test]
fn a_migration_that_changed_stops_the_start_until_it_is_accepted() {
    let dir = dir();
    up(&dir);
    let url = database_of(dir.path());
    execute(&url, &["UPDATE migration_checksums SET checksum = '1:0' WHERE owner = 'additional_logger'"]);
    assert_eq!(state_of(&dir, "additional_logger"), json!("changed"));
    for command in [&["migrate", "up"][..], &["serve", "--listen", "127.0.0.1:0"], &["serve", "--no-migrate"]] {
        let told = run(dir.path(), command).expect(1);
        told.tells(&["RG0208", LOGGER, "`additional_logger`", "rivetgun migrate accept --extension additional_logger"]);
    }
    let accept = ["migrate", "accept", "--extension", "additional_logger"];
    assert_eq!(run(dir.path(), &accept).expect(0).stdout.trim(), format!("accepted additional_logger: {LOGGER}"));
    assert_eq!(run(dir.path(), &accept).expect(0).stdout.trim(), "nothing of `additional_logger` changed");
    Serving::start(dir.path(), &[]).request("GET", "/nodes", &Value::Null, 200);
}

#[test]
fn what_an_extension_left_is_listed_blocks_nobody_and_can_be_purged() {
    let dir = dir();
    up(&dir);
    left_behind(&dir);
    let status = run(dir.path(), &["migrate", "status"]).expect(0).stdout;
    for part in ["orphaned", "gone_rows", "rivetgun migrate purge --extension gone", "2 rows wait for `absent`"] {
        assert!(status.contains(part), "{part} in {status}");
    }
    let of_it = run(dir.path(), &["migrate", "status", "--extension", "gone", "--json"]).expect(0).stdout;
    let of_it: Value = serde_json::from_str(&of_it).expect("JSON");
    assert_eq!(
        of_it,
        json!({
            "migrations": [{"owner": "gone", "migration": "m1_gone", "state": "orphaned"}],
            "orphaned": [{"name": "gone", "migrations": ["m1_gone"], "tables": ["gone_migrations", "gone_rows"]}],
            "buffered": {"gone": 1},
            "subscriptions": {},
        })
    );
    let serving = Serving::start(dir.path(), &[]);
    let gone = serving.request("GET", "/extensions/gone", &Value::Null, 200);
    assert_eq!(gone["status"], "missing", "{gone}");
    assert_eq!(gone["migrations"], json!({"applied": ["m1_gone"], "pending": []}));
    serving.kill();

    let purge = |arguments: &[&str]| run(dir.path(), &[&["migrate", "purge"], arguments].concat());
    purge(&["--extension", "gone"]).expect(1).tells(&["--yes"]);
    purge(&["--extension", "core", "--yes"]).expect(1).tells(&["no extension"]);
    purge(&["--extension", "additional_logger", "--yes"])
        .expect(1)
        .tells(&["migrate down --extension additional_logger"]);
    purge(&["--extension", "nonsense", "--yes"]).expect(1).tells(&["nothing of `nonsense`", "gone", "absent"]);
    let tried = purge(&["--extension", "gone", "--dry-run"]).expect(0).stdout;
    assert!(tried.contains("DROP TABLE") && tried.contains("rolled back"), "{tried}");
    assert!(run(dir.path(), &["migrate", "status"]).expect(0).stdout.contains("gone_rows"), "a dry run");
    run(dir.path(), &["migrate", "down", "--extension", "gone"]).expect(1).tells(&["migrate purge --extension gone"]);

    let purged = purge(&["--extension", "gone", "--yes"]).expect(0).stdout;
    assert!(purged.contains("table gone_rows") && purged.contains("purged `gone`"), "{purged}");
    purge(&["--extension", "absent", "--yes"]).expect(0);
    let status = run(dir.path(), &["migrate", "status"]).expect(0).stdout;
    assert!(!status.contains("gone") && !status.contains("absent"), "{status}");
    Serving::start(dir.path(), &[]).request("GET", "/nodes", &Value::Null, 200);
}

/// What the database looks like when an extension `gone` was removed, and rows wait for one that never was there.
fn left_behind(dir: &TempDir) {
    execute(
        &database_of(dir.path()),
        &[
            "CREATE TABLE gone_migrations (version varchar NOT NULL PRIMARY KEY, applied_at integer NOT NULL)",
            "INSERT INTO gone_migrations VALUES ('m1_gone', 1)",
            "CREATE TABLE gone_rows (id integer PRIMARY KEY)",
            "INSERT INTO extensions_migration_buffer (extension_name, data) VALUES ('gone', '1'), ('absent', '2'), ('absent', '3')",
        ],
    );
}

fn up(dir: &TempDir) -> Finished {
    run(dir.path(), &["migrate", "up"]).expect(0)
}

/// The state of an owner's one migration.
fn state_of(dir: &TempDir, owner: &str) -> Value {
    let status = finish(rivetgun(dir.path()).args(["--state-dir", "state", "migrate", "status", "--json"])).expect(0);
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    let found = status["migrations"].as_array().and_then(|rows| rows.iter().find(|row| row["owner"] == owner));
    found.unwrap_or_else(|| panic!("{owner} in {status}"))["state"].clone()
}

fn execute(url: &str, statements: &[&str]) {
    on(url, async |connection| {
        for sql in statements {
            connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    });
}

/// The column `text` of a query.
fn texts(url: &str, sql: &str) -> Vec<String> {
    on(url, async |connection| {
        let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| row.try_get("", "text").expect("a text")).collect()
    })
}

fn on<T>(url: &str, work: impl AsyncFnOnce(&DatabaseConnection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let connection = Database::connect(url).await.expect("the database");
        let done = work(&connection).await;
        connection.close().await.expect("it closes");
        done
    })
}

fn dir() -> TempDir {
    tempdir().expect("a directory")
}
