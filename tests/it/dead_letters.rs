//! Events that could not be delivered: people see them, and decide.

use crate::{
    common::{contains, each, list, node_named, until},
    process::{finish, rivetgun},
};
use axum::http::Method;
use rivetgun::testkit::{TestServer, new_postgres_database, on_both_databases};
use serde_json::{Value, json};
use std::{fs, path::Path};

const LETTERS: &str = "/extensions/listener/dead_letters";

/// Gives an event up after the first time.
const ONCE: &str =
    "[events]\nattempts = 1\n[extensions.listener]\nwatch = {s = 'nodes.create.*', t = 'nodes.create.*'}";

/// Nodes whose events cannot be delivered before there is such a file, twice each; their dead letters.
async fn letters_of_nodes(server: &TestServer, file: &Path) -> Value {
    for number in 1..=2 {
        node_named(server, number, &format!("waits for {}", file.display())).await;
    }
    server.wait_for(LETTERS, |letters| list(letters).len() == 4).await
}

/// The subscriptions that hear of a node in the end.
async fn heard(server: &TestServer, key: &str) -> Vec<Value> {
    let rows = server.get("/listener/rows").await.expect(200);
    let of_it = list(&rows).iter().filter(|row| row[1].as_str().is_some_and(|told| told.ends_with(key)));
    let mut heard: Vec<Value> = of_it.map(|row| row[0].clone()).collect();
    heard.sort_by_key(Value::to_string);
    heard
}

#[test]
fn dead_letters_are_listed_dropped_and_replayed() {
    on_both_databases(ONCE, async |server| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("there");
        let letters = letters_of_nodes(&server, &file).await;
        assert_eq!(each(&letters, "subscription"), ["s", "s", "t", "t"]);
        let first = &letters[0];
        assert_eq!((&first["extension"], &first["attempts"]), (&json!("listener"), &json!(1)));
        assert_eq!(first["event"], server.get("/events?filter=nodes.create.1").await.expect(200)[0]);
        assert_eq!(first["sequence"], first["event"]["sequence"]);
        assert!(contains(&first["error"], "handle_event") && first["time"].is_string(), "{first}");
        let page = server.get(&format!("{LETTERS}?limit=2&offset=1&order_by=-sequence")).await;
        assert_eq!(page.header("content-range"), Some("objects 1-2/4"));
        assert_eq!(each(&page.expect(200), "subscription"), ["t", "s"]);
        assert_eq!(list(&server.get(&format!("{LETTERS}?subscription=t")).await.expect(200)).len(), 2);

        let shown = server.get("/extensions/listener").await.expect(200)["subscriptions"].clone();
        assert_eq!(each(&shown, "name"), ["s", "t"]);
        assert_eq!(each(&shown, "dead"), [2, 2]);
        assert_eq!(each(&shown, "filter"), ["nodes.create.*"; 2]);
        server.wait_for("/extensions/listener", |shown| each(&shown["subscriptions"], "behind") == [0, 0]).await;

        let (one, other) = (&letters[0]["sequence"], &letters[1]["sequence"]);
        let drop =
            async |query: &str| server.delete(&format!("{LETTERS}?{query}")).await.expect(200)["dropped"].clone();
        assert_eq!(drop(&format!("sequences={one},999999")).await, 2);
        assert_eq!(drop("subscription=nobody").await, 0);
        fs::write(&file, "").expect("a file");
        let replay = async |which: Value| server.post(&format!("{LETTERS}/replay"), which).await.expect(200);
        assert_eq!(replay(json!({"subscription": "s", "sequences": [one]})).await, json!({"replayed": 0}));
        assert_eq!(replay(json!({"subscription": "s", "sequences": [other]})).await, json!({"replayed": 1}));
        until("one subscription hears of it", async || heard(&server, ".create.2").await == ["s"]).await;
        assert_eq!(replay(json!({})).await, json!({"replayed": 1}));
        until("the other does", async || heard(&server, ".create.2").await == ["s", "t"]).await;
        assert_eq!(server.get(LETTERS).await.expect(200), json!([]));
        assert_eq!(heard(&server, ".create.1").await, [""; 0], "it was dropped");
        for path in ["/extensions/nonsense/dead_letters", "/extensions/nonsense/dead_letters?subscription=s"] {
            server.get(path).await.expect(404);
        }
        server.get(&format!("{LETTERS}?order_by=extension")).await.expect(400);
    });
}

#[test]
fn people_are_told_what_a_dead_letter_is_only_where_all_of_them_may_read_it() {
    let settings = "[events]\nattempts = 1\n[extensions.listener]\n\
        watch = {open = 'announcer.*.*', shut = 'announcer_private.*.*'}";
    on_both_databases(settings, async |server| {
        let mut told = Vec::new();
        for (number, kind) in [(1, "announcer"), (2, "announcer_private")] {
            server.request(Method::POST, &format!("/announcer/alone/{kind}/fails"), None).await.expect(204);
            let all = server.wait_for("/notifications", |all| list(all).len() == number).await;
            told.push(all[number - 1]["message"].clone());
        }
        assert!(contains(&told[0], "(announcer fails) could not be delivered"), "{told:?}");
        assert!(contains(&told[1], "could not be delivered") && !contains(&told[1], "fails"), "{told:?}");
        assert!(!contains(&told[1], "announcer_private"), "{told:?}");
    });
}

#[test]
fn a_subscription_that_is_new_is_not_said_to_have_missed_what_was_forgotten_before() {
    for url in [None, new_postgres_database().ok()] {
        let dir = tempfile::tempdir().expect("a directory");
        let url = url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", dir.path().join("db").display()));
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let settings = |more: &str, watch: &str| {
                format!(
                    "[events]\nattempts = 1\n{more}\n[extensions.listener]\nfrom_the_beginning = true\nwatch = {watch}"
                )
            };
            let server = TestServer::start(Some(url.clone()), &settings("", "{s = 'nodes.create.*'}")).await;
            node_named(&server, 1, "fails").await;
            node_named(&server, 2, "well").await;
            server.wait_for(LETTERS, |letters| list(letters).len() == 1).await;
            until("the other is delivered", async || heard(&server, ".create.2").await == ["s"]).await;
            server.stop().await;
            let forgetful = settings("retention_days = 0", "{s = 'nodes.create.*'}");
            let server = TestServer::start(Some(url.clone()), &forgetful).await;
            // All but the dead letter.
            server.wait_for("/events?filter=nodes.*.*", |log| list(log).len() == 1).await;
            server.stop().await;
            let both = settings("", "{s = 'nodes.create.*', t = 'nodes.create.*'}");
            let server = TestServer::start(Some(url), &both).await;
            server.wait_for(LETTERS, |letters| list(letters).len() == 2).await;
            let told = server.get("/notifications").await.expect(200);
            assert!(!each(&told, "message").into_iter().any(|message| contains(message, "forgotten")), "{told}");
            server.stop().await;
        });
    }
}

#[test]
fn the_command_line_does_the_same_beside_a_server_even_for_what_is_not_in_its_build() {
    for url in [None, new_postgres_database().ok()] {
        let dir = tempfile::tempdir().expect("a directory");
        let url = url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", dir.path().join("db").display()));
        let command = |arguments: &[&str]| {
            let mut command = rivetgun(dir.path());
            command.args(["--state-dir", "state", "--database-url", &url, "dead-letters"]);
            finish(command.args(arguments))
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            command(&["list"]).expect(1).tells(&["RG0206", "migrate up"]);
            let server = TestServer::start(Some(url.clone()), ONCE).await;
            assert_eq!(command(&["list"]).expect(0).stdout.trim(), "there are no dead letters");
            let file = dir.path().join("there");
            let letters = letters_of_nodes(&server, &file).await;
            let table = command(&["list", "--limit", "3"]).expect(0).stdout;
            for part in ["SUBSCRIPTION", "listener", "nodes.create.1", "and 1 more"] {
                assert!(table.contains(part), "{part} in {table}");
            }
            let listed = command(&["list", "--json", "--extension", "listener"]).expect(0).stdout;
            assert_eq!(serde_json::from_str::<Value>(&listed).expect("JSON"), letters);
            let (one, other) = (letters[0]["sequence"].to_string(), letters[1]["sequence"].to_string());
            for arguments in [&["replay"][..], &["drop"], &["drop", "--subscription", "s"], &["drop", "--all", &one]] {
                command(arguments).expect(2);
            }
            let dropped = command(&["drop", "--extension", "listener", "--subscription", "s", &one]).expect(0).stdout;
            assert_eq!(dropped.trim(), "1 dead letter is dropped");
            fs::write(&file, "").expect("a file");
            let replayed = command(&["replay", &one, &other]).expect(0).stdout;
            assert!(replayed.starts_with("3 dead letters are tried again"), "{replayed}");
            until("they are delivered", async || {
                heard(&server, ".create.1").await == ["t"] && heard(&server, ".create.2").await == ["s", "t"]
            })
            .await;
            assert_eq!(command(&["drop", "--all"]).expect(0).stdout.trim(), "no dead letter is dropped");
            server.stop().await;
            // Its build lacks the extension, and can drop what that left.
            let migrate = |arguments: &[&str]| {
                let mut command = rivetgun(dir.path());
                command.args(["--state-dir", "state", "--database-url", &url, "migrate"]);
                finish(command.args(arguments))
            };
            let status = migrate(&["status"]).expect(0).stdout;
            assert!(status.contains("`listener` is not in this build, and left 2 subscriptions"), "{status}");
            let purged = migrate(&["purge", "--extension", "listener", "--yes"]).expect(0).stdout;
            assert!(purged.contains("2 subscriptions") && purged.contains("purged `listener`"), "{purged}");
            assert!(!migrate(&["status"]).expect(0).stdout.contains("`listener`"));
        });
    }
}
