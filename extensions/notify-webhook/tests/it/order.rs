//! What waits for what: the events of one object for each other, and nothing else.

use crate::common::{QUICK, nobody, node, receiver, receiver_at, rename, target, told, with_receiver};
use rivetgun::testkit::{TestServer, new_postgres_database, on_both_databases};
use webhook_receiver::{Answer, Received, plays};

fn as_told<'t>(told: impl IntoIterator<Item = (&'t str, &'t str, u16)>) -> Vec<(String, String, u16)> {
    told.into_iter().map(|(action, name, answer)| (action.to_owned(), name.to_owned(), answer)).collect()
}

#[test]
fn the_events_of_an_object_come_in_order_though_the_receiver_fails_in_between() {
    with_receiver("\"nodes.update.*\"", "", async |server, receiver| {
        let first = node(server, 1).await;
        receiver.answers([Answer::status(500), Answer::status(404), Answer::status(503).text("later")]);
        for name in ["a", "b", "c"] {
            rename(server, &first, name).await;
        }
        let received = receiver.received_many(6).await;
        let expected = [("a", 500), ("a", 404), ("a", 503), ("a", 202), ("b", 202), ("c", 202)];
        let expected = expected.map(|(name, answer)| ("update", name, answer));
        assert_eq!(told(&received, &first), as_told(expected));
        assert!(received.iter().all(|request| request.is_signed));
        let repeated: Vec<bool> = received.iter().map(|request| request.is_repeated).collect();
        assert_eq!(repeated, [false, true, true, true, false, false], "the id tells");
    });
}

#[test]
fn an_object_that_the_receiver_hangs_at_holds_up_no_other() {
    with_receiver("\"nodes.create.*\"", "timeout = 2\n", async |server, receiver| {
        receiver.answers([Answer::never()]);
        let first = node(server, 1).await;
        receiver.received_many(1).await;
        let second = node(server, 2).await;
        let received = receiver.received_many(3).await;
        let keys: Vec<String> = received.iter().map(|request| request.json["key"].to_string()).collect();
        assert_eq!(keys, [&first, &second, &first].map(|key| format!("\"{key}\"")));
        assert_eq!(received.iter().map(|request| request.answered).collect::<Vec<_>>(), [0, 202, 202]);
    });
}

#[test]
fn a_target_that_is_down_holds_up_no_other_and_gets_everything_in_order_when_it_is_back() {
    let up = receiver();
    let away = nobody();
    let events = "[\"nodes.create,update.*\", \"clusters.*.*\"]";
    let settings = [target("up", &up.url(), events), target("down", &format!("http://{away}/tasks"), events)].concat();
    on_both_databases(&format!("{QUICK}{settings}"), async |server| {
        up.forget();
        up.plays(plays::nothing);
        let first = node(&server, 1).await;
        rename(&server, &first, "a").await;
        server.create_cluster("c").await;
        rename(&server, &first, "b").await;
        up.received_many(4).await;
        let back = receiver_at(away);
        let (of_up, of_down) = (up.received(), back.received_many(4).await);
        let names = |told: Vec<(String, String, u16)>| told.into_iter().map(|(_, name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(told(&of_up, &first))[1..], ["a", "b"]);
        assert_eq!(names(told(&of_down, &first))[1..], ["a", "b"]);
        let id_of = |all: &[Received]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        assert!(id_of(&of_up).iter().all(|id| !id_of(&of_down).contains(id)), "a message is of one target");
    });
}

#[test]
fn a_restart_loses_nothing() {
    for url in [None, new_postgres_database().ok()] {
        let dir = tempfile::tempdir().expect("a directory");
        let url = url.unwrap_or_else(|| format!("sqlite://{}?mode=rwc", dir.path().join("db").display()));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let away = nobody();
            let target = target("t", &format!("http://{away}/tasks"), "\"nodes.create,update.*\"");
            let settings = format!("{QUICK}{target}");
            let server = TestServer::start(Some(url.clone()), &settings).await;
            let first = node(&server, 1).await;
            rename(&server, &first, "a").await;
            server.stop().await;
            // While nobody posts.
            let deaf = TestServer::start(Some(url.clone()), "").await;
            rename(&deaf, &first, "b").await;
            deaf.stop().await;
            let server = TestServer::start(Some(url), &settings).await;
            rename(&server, &first, "c").await;
            let back = receiver_at(away);
            let received = back.received_many(4).await;
            let expected = ["a", "b", "c"].map(|name| ("update", name, 202));
            assert_eq!(told(&received, &first)[1..], as_told(expected));
            assert!(received.iter().all(|request| request.is_signed && !request.is_repeated));
            server.stop().await;
        });
    }
}
