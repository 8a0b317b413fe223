//! The log of a task, followed while the work goes on.

use crate::{
    common::{cluster_with_nodes, commands, contains, each, mac, work_on},
    process::Serving,
};
use axum::{body::Body, http::Request};
use rivetgun::testkit::{Event, TestServer, on_both_databases};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Says something, and goes on when a file with the name of the task and the number of the gate is there.
const GATED: &str = r#"
    gate() { while [ ! -e "DIR/$RIVETGUN_TASK.$1" ]; do sleep 0.02; done; }
    echo first; gate 1; echo second >&2; gate 2; echo third"#;

#[test]
fn lines_come_while_the_command_runs_and_the_end_closes_the_stream() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, GATED, "true", 60), async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        let open = |gate: u8| {
            let file = dir.path().join(format!("{}.{gate}", task["uuid"].as_str().expect("a text")));
            fs::write(file, "").expect("the gate opens");
        };
        let path = format!("/tasks/{}/log?follow=true", task["id"]);
        let mut early = server.follow(&path, None).await;
        assert_eq!(line_of(&early.next().await)["line"], "first");
        // Who comes later gets what is there, and then the same.
        let mut late = server.follow(&path, None).await;
        assert_eq!(line_of(&late.next().await)["line"], "first");
        open(1);
        let second = early.next().await.expect("a line");
        assert_eq!(late.next().await.as_ref(), Some(&second));
        let line: Value = serde_json::from_str(&second.data).expect("JSON");
        assert_eq!((&line["line"], &line["stream"], &line["node"]), (&json!("second"), &json!("stderr"), &nodes[0]));
        open(2);
        let mut resumed = server.follow(&path, Some(&second.id)).await;
        for reader in [&mut early, &mut late, &mut resumed] {
            assert_eq!(line_of(&reader.next().await)["line"], "third");
            assert_eq!(reader.next().await, Some(end("ready")));
            assert_eq!(reader.next().await, None, "the stream is over");
        }
        // What is followed is what is listed.
        let listed = server.get(&format!("/tasks/{}/log", task["id"])).await.expect(200);
        let followed: Vec<Value> = lines(&server, &path).await;
        assert_eq!(listed, json!(followed));
    });
}

#[test]
fn a_log_of_many_lines_comes_whole_and_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, "seq 1 2345", "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        let path = format!("/tasks/{}/log?follow=true", task["id"]);
        let numbers: Vec<String> = (1..=2345).map(|number| number.to_string()).collect();
        for _ in ["while it is written", "when it is there"] {
            let lines = json!(lines(&server, &path).await);
            assert_eq!(each(&lines, "line"), numbers.iter().collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_task_that_failed_or_was_deleted_ends_the_stream_too() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, GATED, "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        let mut events = server.follow(&format!("/tasks/{}/log?follow=true", task["id"]), None).await;
        assert_eq!(line_of(&events.next().await)["line"], "first");
        server.delete(&format!("/tasks/{}?force=true", task["id"])).await.expect(204);
        let last = events.rest().await.pop();
        // It fails, and then it is gone: either may be what is seen.
        assert!([Some(end("error")), Some(end("deleted"))].contains(&last), "{last:?}");
    });
    on_both_databases(&commands(&dir, "echo why; exit 1", "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = work_on(&server, &cluster, "provision").await;
        let events = server.follow(&format!("/tasks/{}/log?follow=true", task["id"]), None).await.rest().await;
        assert_eq!((events.len(), events.last()), (2, Some(&end("error"))));
    });
}

#[test]
fn a_task_without_a_word_is_followed_to_its_end_and_so_is_one_that_has_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, "true", "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = work_on(&server, &cluster, "provision").await;
        let path = format!("/tasks/{}/log?follow=true", task["id"]);
        assert_eq!(server.follow(&path, None).await.rest().await, [end("ready")]);
        assert_eq!(server.follow(&path, Some("7")).await.rest().await, [end("ready")]);
    });
}

#[test]
fn what_cannot_be_followed_is_refused() {
    on_both_databases("", async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let id = work_on(&server, &cluster, "provision").await["id"].clone();
        for (path, status, detail) in [
            ("/tasks/999/log?follow=true".to_owned(), 404, "task 999"),
            (format!("/tasks/{id}/log?follow=perhaps"), 400, "follow"),
            (format!("/tasks/{id}/log?follow=true&limit=1"), 400, "leave them out"),
            (format!("/tasks/{id}/log?follow=true&offset=1"), 400, "leave them out"),
            (format!("/tasks/{id}/log?follow=true&order_by=id"), 400, "leave them out"),
        ] {
            let problem = server.get(&path).await.expect(status);
            assert!(contains(&problem["detail"], detail), "{path}: {problem}");
        }
        let request = Request::get(format!("/api/v1/tasks/{id}/log?follow=true")).header("last-event-id", "x");
        let problem = server.send(request.body(Body::empty()).expect("a request")).await.expect(400);
        assert!(contains(&problem["detail"], "Last-Event-ID"), "{problem}");
    });
}

#[test]
fn a_server_that_stops_ends_its_streams_first() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, GATED, "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        let mut events = server.follow(&format!("/tasks/{}/log?follow=true", task["id"]), None).await;
        assert_eq!(line_of(&events.next().await)["line"], "first");
        server.stop().await;
        let rest = events.rest().await;
        assert!(!rest.iter().any(|event| event.name == "end"), "it may be resumed: {rest:?}");
    });
}

#[test]
fn readers_of_a_real_server_see_lines_at_once_and_do_not_keep_it_from_ending() {
    let dir = tempfile::tempdir().expect("a directory");
    let provision = "while :; do date +%s%N; sleep 0.1; done";
    fs::write(dir.path().join("settings.toml"), commands(&dir, provision, "true", 60)).expect("a file");
    let serving = Serving::start(dir.path(), &["--config", "settings.toml"]);
    let node = serving.request("POST", "/nodes", &json!({"mac": mac(1)}), 201)["id"].clone();
    let cluster = serving.request("POST", "/clusters", &json!({"name": "c", "nodes": [node]}), 201)["id"].clone();
    let task = serving.request("PUT", &format!("/clusters/{cluster}/provision"), &Value::Null, 202)["id"].clone();

    let mut stream = TcpStream::connect(serving.address()).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let head = format!("GET /api/v1/tasks/{task}/log?follow=true HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the server reads");
    let mut reader = BufReader::new(stream).lines().map_while(Result::ok);
    let mut delays: Vec<Duration> = (0..20).map(|_| delay_of_next_line(&mut reader)).collect();
    delays.sort_unstable();
    // Half of the lines are in time even where other tests use the machine.
    assert!(delays[10] < Duration::from_millis(500), "{delays:?}");
    let (status, took) = serving.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(8), "it took {took:?}");
}

/// How long ago the command wrote the next line, which says when it was written.
fn delay_of_next_line(lines: &mut impl Iterator<Item = String>) -> Duration {
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("the stream goes on");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
    let line: Value = serde_json::from_str(&data).expect("JSON");
    let written = line["line"].as_str().and_then(|nanos| nanos.parse().ok()).expect("a time");
    now.saturating_sub(Duration::from_nanos(written))
}

/// The lines of a log that is followed to its end.
async fn lines(server: &TestServer, path: &str) -> Vec<Value> {
    let mut events = server.follow(path, None).await.rest().await;
    assert_eq!(events.pop(), Some(end("ready")));
    let ids: Vec<i64> = events.iter().map(|event| event.id.parse().expect("an id")).collect();
    assert!(ids.is_sorted_by(|one, other| one < other), "{ids:?}");
    events.into_iter().map(|event| line_of(&Some(event))).collect()
}

#[track_caller]
fn line_of(event: &Option<Event>) -> Value {
    let event = event.as_ref().expect("the stream goes on");
    assert_eq!(event.name, "", "{event:?} is no line");
    serde_json::from_str(&event.data).expect("JSON")
}

fn end(how: &str) -> Event {
    Event { name: "end".to_owned(), data: how.to_owned(), ..Event::default() }
}
