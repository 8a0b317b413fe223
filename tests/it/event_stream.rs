//! The event log, followed as server-sent events: nothing is lost on the way, or it is told.

use crate::common::{contains, each, list, mac, until};
use rivetgun::testkit::{Event, Events, TestServer, new_postgres_database, on_both_databases};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The sequence number of the next event of a stream.
async fn next(stream: &mut Events) -> i64 {
    let event = stream.next().await.expect("the stream goes on");
    let told: Value = serde_json::from_str(&event.data).expect("JSON");
    assert_eq!((event.id, event.name.as_str()), (told["sequence"].to_string(), ""), "{told}");
    told["sequence"].as_i64().expect("a number")
}

#[test]
fn a_stream_begins_now_or_after_an_event_and_says_what_the_list_says() {
    on_both_databases("", async |server| {
        for path in ["/events/stream", "/events"] {
            let refused = server.get(&format!("{path}?filter=nodes.*.%00")).await.expect(400);
            assert!(contains(&refused["detail"], "NUL character"), "{refused}");
        }
        server.discover(&mac(1)).await;
        let before = list(&server.get("/events").await.expect(200)).len();
        let mut from_now = server.follow("/events/stream", None).await;
        let mut nodes = server.follow("/events/stream?filter=nodes.create.*&after=0", None).await;
        server.create_cluster("c").await;
        server.discover(&mac(2)).await;
        let log = server.get("/events").await.expect(200);
        let all: Vec<i64> = each(&log, "sequence").iter().map(|one| one.as_i64().expect("a number")).collect();
        for sequence in &all[before..] {
            assert_eq!(next(&mut from_now).await, *sequence);
        }
        let first = all[0];
        let created = server.get("/events?filter=nodes.create.*").await.expect(200);
        for event in list(&created) {
            assert_eq!(json!(next(&mut nodes).await), event["sequence"]);
        }
        // A header stands before the query, since browsers repeat the query.
        let mut resumed = server.follow("/events/stream?after=0", Some(&first.to_string())).await;
        let event = resumed.next().await.expect("an event");
        assert_eq!(serde_json::from_str::<Value>(&event.data).expect("JSON"), log[1]);
        let two = server.follow("/events/stream?after=0&limit=2", None).await.rest().await;
        assert_eq!(
            two.into_iter().map(|event| event.id).collect::<Vec<_>>(),
            [all[0], all[1]].map(|id| id.to_string())
        );
        let ends = async {
            for mut stream in [from_now, nodes] {
                assert_eq!(stream.next().await, None, "it ends with the server");
            }
        };
        tokio::join!(server.stop(), ends);
    });
}

#[test]
fn whoever_is_cut_off_and_resumes_misses_nothing_while_many_write() {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    on_both_databases("", async |server| {
        let server = &server;
        let write = |writer: usize| async move {
            for number in 0..EACH {
                server.discover(&mac(writer * EACH + number)).await;
            }
        };
        let read = async {
            let (mut seen, mut last) = (Vec::new(), 0);
            while seen.len() < WRITERS * EACH {
                let path = "/events/stream?filter=nodes.create.*&after=0";
                let resume = (last > 0).then(|| last.to_string());
                let mut stream = server.follow(path, resume.as_deref()).await;
                for _ in 0..(WRITERS * EACH - seen.len()).min(7) {
                    last = next(&mut stream).await;
                    seen.push(last);
                }
            }
            seen
        };
        let (seen, _) = tokio::join!(read, futures_util::future::join_all((0..WRITERS).map(write)));
        assert!(seen.is_sorted() && seen.iter().collect::<BTreeSet<_>>().len() == seen.len(), "{seen:?}");
        let log = server.get("/events?filter=nodes.create.*&limit=1000").await.expect(200);
        assert_eq!(
            each(&log, "sequence"),
            seen.iter().map(|one| json!(one)).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    });
}

/// A database whose log was forgotten by a second server, and the sequence number of the last event of the first.
pub(crate) async fn forgetful(url: Option<String>) -> (TestServer, i64) {
    let dir = tempfile::tempdir().expect("a directory");
    let url = url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", dir.keep().join("db").display()));
    let server = TestServer::start(Some(url.clone()), "").await;
    for number in 1..=3 {
        server.discover(&mac(number)).await;
    }
    let log = server.get("/events").await.expect(200);
    let last = list(&log).last().expect("an event")["sequence"].as_i64().expect("a number");
    server.stop().await;
    let server = TestServer::start(Some(url), "[events]\nretention_days = 0").await;
    server.wait_for("/events", |log| list(log).is_empty()).await;
    (server, last)
}

#[test]
fn what_is_forgotten_before_it_was_read_is_told_as_a_gap() {
    for url in [None, new_postgres_database().ok()] {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let (server, last) = forgetful(url).await;
            server.discover(&mac(4)).await;
            let mut stream = server.follow("/events/stream?filter=nodes.create.*", Some("1")).await;
            let gap = stream.next().await;
            let told = json!({"from": 2, "to": last}).to_string();
            assert_eq!(gap, Some(Event { name: "gap".to_owned(), id: last.to_string(), data: told }));
            assert!(next(&mut stream).await > last);
            // Who has read all that is forgotten misses nothing.
            let mut stream = server.follow("/events/stream?filter=nodes.create.*", Some(&last.to_string())).await;
            assert!(next(&mut stream).await > last);
            server.stop().await;
        });
    }
}

#[test]
fn a_stream_that_cannot_be_followed_is_refused() {
    on_both_databases("[events]\nstreams = 1", async |server| {
        for query in ["filter=nodes", "after=x", "after=1", "limit=-1", "nonsense=1", "filter=no*es.*.*"] {
            server.get(&format!("/events/stream?{query}")).await.expect(400);
        }
        let long = format!("filter={}", "*.*.*+".repeat(2_000));
        for path in ["/events/stream", "/events"] {
            server.get(&format!("{path}?{long}")).await.expect(400);
        }
        let one = server.follow("/events/stream", None).await;
        let refused = server.get("/events/stream").await;
        assert_eq!(refused.header("retry-after"), Some("2"));
        refused.expect(503);
        drop(one);
        until("the place is free again", async || server.get("/events/stream?limit=0").await.status() == 200).await;
    });
}
