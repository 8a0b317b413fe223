//! The event log over a WebSocket: nothing comes that was not asked for, and nobody who does not listen is waited for.

use crate::{
    common::{contains, list, mac},
    event_stream::forgetful,
    socket::Socket,
};
use axum::{body::Body, http::Request};
use rivetgun::testkit::{TestServer, new_postgres_database, on_both_databases};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// `action key` of the event that comes next.
async fn event(socket: &mut Socket) -> String {
    let frame = socket.frame().await;
    assert_eq!(frame["frame"], "event", "{frame}");
    let part = |field: &str| frame["event"][field].as_str().expect("a text").to_owned();
    format!("{} {}", part("action"), part("key"))
}

/// What is wrong with a message.
async fn refused(socket: &mut Socket, text: &str) -> String {
    let frame = socket.ask(text).await;
    assert_eq!(frame["frame"], "error", "{text}: {frame}");
    frame["detail"].as_str().expect("a text").to_owned()
}

async fn rename(server: &TestServer, name: &str) {
    server.put("/nodes/1", json!({"name": name})).await.expect(200);
}

#[test]
fn what_is_registered_comes_once_and_nothing_before_or_after() {
    on_both_databases("", async |server| {
        let mut socket = Socket::open(server.listen().await).await;
        server.discover(&mac(1)).await;
        let registered = socket.ask("register nodes.update.*").await;
        let log = server.get("/events").await.expect(200);
        let end = &list(&log).last().expect("an event")["sequence"];
        assert_eq!(registered, json!({"frame": "registered", "filter": "nodes.update.*", "after": end}));
        rename(&server, "a").await;
        let told = socket.frame().await;
        let update = server.get("/events?filter=nodes.update.*").await.expect(200);
        assert_eq!(told, json!({"frame": "event", "event": update[0]}));
        // Two filters take it, and one of them twice over.
        assert_eq!(socket.ask("register *.*.1").await["frame"], "registered");
        assert_eq!(socket.ask("register *.*.1").await["frame"], "registered");
        rename(&server, "b").await;
        assert_eq!(event(&mut socket).await, "update 1");
        server.discover(&mac(2)).await;
        rename(&server, "c").await;
        assert_eq!(event(&mut socket).await, "update 1");
        assert_eq!(
            socket.ask("deregister nodes.update.*").await,
            json!({"frame": "deregistered", "filter": "nodes.update.*"})
        );
        assert_eq!(socket.ask("deregister *.*.1").await["frame"], "deregistered");
        rename(&server, "d").await;
        assert_eq!(socket.ask("register nodes.create.*").await["frame"], "registered");
        server.discover(&mac(3)).await;
        assert_eq!(event(&mut socket).await, "create 3");
    });
}

#[test]
fn who_speaks_while_an_event_comes_gets_it_at_once() {
    on_both_databases("", async |server| {
        let mut socket = Socket::open(server.listen().await).await;
        socket.ask("register builds.*.*").await;
        for number in 0..10 {
            let published = json!({"type": "builds", "action": "done", "key": number.to_string(), "object": {}});
            server.post("/events", published).await.expect(201);
            let told = Instant::now();
            // Within the pause in which the log is left alone after a ring of the bell.
            socket.send(Message::text("what?")).await;
            let mut frames = [socket.frame().await["frame"].clone(), socket.frame().await["frame"].clone()];
            frames.sort_by_key(Value::to_string);
            assert_eq!(frames, ["error", "event"]);
            assert!(told.elapsed() < Duration::from_secs(2), "{number}: {:?}", told.elapsed());
        }
    });
}

#[test]
fn what_may_not_be_read_does_not_come() {
    on_both_databases("", async |server| {
        let mut socket = Socket::open(server.listen().await).await;
        socket.ask("register announcer*.*.*").await;
        for kind in ["announcer_private", "announcer_admin", "announcer"] {
            server.post(&format!("/announcer/alone/{kind}/{kind}"), Value::Null).await.expect(204);
        }
        assert_eq!(event(&mut socket).await, "said announcer");
    });
}

#[test]
fn whoever_comes_back_goes_on_after_what_came_last() {
    on_both_databases("", async |server| {
        let address = server.listen().await;
        let mut socket = Socket::open(address).await;
        socket.ask("register nodes.create.*").await;
        for number in 1..=3 {
            server.discover(&mac(number)).await;
        }
        let first = socket.frame().await["event"]["sequence"].clone();
        drop(socket);
        let mut socket = Socket::open(address).await;
        let registered = socket.ask(&format!("register nodes.create.* after {first}")).await;
        assert_eq!((&registered["frame"], &registered["after"]), (&json!("registered"), &first));
        assert_eq!([event(&mut socket).await, event(&mut socket).await], ["create 2", "create 3"]);
        let detail = refused(&mut socket, &format!("register tasks.*.* after {first}")).await;
        assert!(detail.contains("first filter only"), "{detail}");
        socket.ask("deregister nodes.create.*").await;
        let detail = refused(&mut socket, "register nodes.create.* after 999").await;
        assert!(detail.contains("no event 999 yet"), "{detail}");
    });
}

#[test]
fn what_is_forgotten_before_it_was_sent_is_told_as_a_gap() {
    for url in [None, new_postgres_database().ok()] {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let (server, last) = forgetful(url).await;
            let mut socket = Socket::open(server.listen().await).await;
            socket.ask("register nodes.create.* after 1").await;
            assert_eq!(socket.frame().await, json!({"frame": "gap", "from": 2, "to": last}));
            server.discover(&mac(4)).await;
            assert_eq!(event(&mut socket).await, "create 4");
            server.stop().await;
        });
    }
}

#[test]
fn what_is_no_wish_is_told_and_all_else_goes_on() {
    on_both_databases("", async |server| {
        let address = server.listen().await;
        let mut socket = Socket::open(address).await;
        for (text, part) in [
            ("", "register <filter>"),
            ("register nodes.*.\0", "NUL character"),
            ("hello", "register <filter>"),
            ("register", "register <filter>"),
            ("register nodes", "type.action.key"),
            ("register nodes.*.* after all", "sequence number"),
            ("deregister nodes.*.*", "is not registered"),
            (&format!("register {}", "nodes.*.7 ".repeat(500)), "at most"),
            (&format!("register {}", "*.*.7 ".repeat(60)), "more than 100 words"),
        ] {
            let detail = refused(&mut socket, text).await;
            assert!(detail.contains(part), "{text}: {detail}");
        }
        socket.send(Message::binary("register nodes.*.*")).await;
        let frame = socket.frame().await;
        assert!(frame["frame"] == "error" && contains(&frame["detail"], "text"), "{frame}");
        let mut registered = 0;
        let last = loop {
            let frame = socket.ask(&format!("register nodes.*.{registered}")).await;
            if frame["frame"] != "registered" || registered > 1_000 {
                break frame;
            }
            registered += 1;
        };
        assert!(contains(&last["detail"], "at most") && registered > 100, "{registered}: {last}");
        server.discover(&mac(1)).await;
        assert_eq!(event(&mut socket).await, "create 1");
        // What is far too long is not even read.
        socket.send(Message::text("x".repeat(100 << 10))).await;
        assert_eq!(socket.closed().await, 1002);
    });
}

#[test]
fn whoever_does_not_read_is_let_go_and_makes_room() {
    on_both_databases("[events]\nstreams = 1\nclient_timeout_ms = 300", async |server| {
        let address = server.listen().await;
        let mut deaf = Socket::open(address).await;
        deaf.ask("register *.*.*").await;
        assert_eq!(Socket::open_from(address, None).await.err(), Some(503));
        let object = json!({"text": "x".repeat(250 << 10)});
        for number in 0..40 {
            let event = json!({"type": "builds", "action": "done", "key": number.to_string(), "object": object});
            server.post("/events", event).await.expect(201);
        }
        // It is let go; and so is one that has nothing to read, and does not answer.
        let mute = Socket::open_in_time(address).await;
        Socket::open_in_time(address).await;
        drop((deaf, mute));
    });
}

#[test]
fn the_server_says_goodbye_when_it_stops() {
    on_both_databases("", async |server| {
        let address = server.listen().await;
        let (mut idle, mut busy) = (Socket::open(address).await, Socket::open(address).await);
        busy.ask("register *.*.*").await;
        // What is answered is a WebSocket by now on the server's side, too.
        idle.ask("register *.*.*").await;
        idle.ask("deregister *.*.*").await;
        server.stop().await;
        assert_eq!([idle.closed().await, busy.closed().await], [1001; 2]);
    });
}

#[test]
fn a_page_of_another_site_and_what_is_no_handshake_are_refused() {
    on_both_databases("", async |server| {
        let address = server.listen().await;
        assert_eq!(Socket::open_from(address, Some("http://evil.example")).await.err(), Some(403));
        assert!(Socket::open_from(address, Some(&format!("http://{address}"))).await.is_ok());
        let request = Request::get("/api/v1/ws").body(Body::empty()).expect("a request");
        server.send(request).await.expect(400);
    });
}
