//! What is posted, when it is tried again, and when it is given up.

use crate::common::{OTHER_SECRET, QUICK, SECRET, dead_letter, node, receiver, rename, target, told, with_receiver};
use rivetgun::testkit::on_both_databases;
use serde_json::json;
use std::{io::Write, time::Instant};
use webhook_receiver::{Answer, Secret, plays};

#[test]
fn the_body_is_the_event_as_the_api_shows_it_and_the_headers_sign_it() {
    with_receiver("\"nodes.update.*\"", "headers = {X-Room = \"cellar\"}\n", async |server, receiver| {
        let first = node(server, 1).await;
        rename(server, &first, "ada").await;
        let received = receiver.received_many(1).await;
        let event = server.get("/events?filter=nodes.update.*").await.expect(200)[0].clone();
        assert_eq!(received[0].json, event);
        assert_eq!((&event["object"]["name"], &event["principal"]), (&json!("ada"), &json!("anonymous")));
        assert!(received[0].is_signed && received[0].id.starts_with("rivetgun_"), "{received:?}");
        let headers = &received[0].headers;
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["content-length"], received[0].body.len().to_string());
        assert_eq!(headers["x-room"], "cellar");
    });
}

#[test]
fn what_a_receiver_will_never_take_is_a_dead_letter_at_once_and_what_follows_goes_on() {
    with_receiver("\"nodes.update.*\"", "", async |server, receiver| {
        let first = node(server, 1).await;
        receiver.answers([Answer::status(422).text("no such\nroom").header("x-long", "y")]);
        for name in ["a", "b"] {
            rename(server, &first, name).await;
        }
        let received = receiver.received_many(2).await;
        let expected = [("a", 422), ("b", 202)].map(|(name, answer)| ("update".into(), name.into(), answer));
        assert_eq!(told(&received, &first), expected);
        let message = dead_letter(server).await;
        assert!(message.contains("target `all` at http://127.0.0.1:"), "{message}");
        assert!(message.contains("it answered 422 Unprocessable Entity: no such room"), "{message}");
    });
}

#[test]
fn what_a_person_can_mend_is_tried_again() {
    with_receiver("\"nodes.create.*\"", "", async |server, receiver| {
        let moved = Answer::status(307).header("location", &receiver.url());
        let unauthorized = [401, 403, 404, 408, 425, 500].map(Answer::status);
        receiver.answers(unauthorized.into_iter().chain([moved, Answer::status(404).text("x".repeat(1_000_000))]));
        node(server, 1).await;
        let received = receiver.received_many(9).await;
        let answers: Vec<u16> = received.iter().map(|request| request.answered).collect();
        assert_eq!(answers, [401, 403, 404, 408, 425, 500, 307, 404, 202]);
        assert!(received.iter().all(|request| request.id == received[0].id && request.body == received[0].body));
    });
}

#[test]
fn a_receiver_says_when_to_try_again() {
    let more = "[events]\nfirst_retry_ms = 1\nlongest_retry_s = 60\n";
    let receiver = receiver();
    let settings = target("all", &receiver.url(), "\"nodes.create.*\"");
    on_both_databases(&format!("{more}{settings}"), async |server| {
        receiver.forget();
        receiver.plays(plays::nothing);
        receiver.answers([Answer::status(429).header("retry-after", "2")]);
        let begin = Instant::now();
        node(&server, 1).await;
        receiver.received_many(2).await;
        assert!(begin.elapsed().as_secs() >= 2, "{:?}", begin.elapsed());
    });
}

#[test]
fn while_secrets_are_rotated_the_receiver_may_know_either_and_a_file_needs_no_restart() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_owned();
    let receiver = receiver();
    file.write_all(SECRET.as_bytes()).expect("it is written");
    let section = target("all", &receiver.url(), "\"nodes.create.*\"");
    let settings = section.replace(&format!("secret = \"{SECRET}\""), &format!("secret_file = {path:?}"));
    on_both_databases(&format!("{QUICK}{settings}"), async |server| {
        receiver.forget();
        receiver.plays(plays::nothing);
        for (number, (text, secret)) in [
            (SECRET.to_owned(), SECRET),
            (format!("{OTHER_SECRET}\n\n{SECRET}\n"), SECRET),
            (format!("{OTHER_SECRET}\n{SECRET}\n"), OTHER_SECRET),
            (format!("\n{OTHER_SECRET}"), OTHER_SECRET),
        ]
        .into_iter()
        .enumerate()
        {
            tokio::fs::write(&path, text).await.expect("it is written");
            receiver.uses(Secret::parse(secret).expect("a secret"));
            node(&server, number).await;
            let received = receiver.received_many(number + 1).await;
            assert!(received[number].is_signed && received[number].answered == 202, "{:?}", received[number]);
        }
        let signatures = receiver.received()[1].headers["webhook-signature"].to_str().expect("a text").to_owned();
        assert_eq!(signatures.split(' ').count(), 2);
        tokio::fs::write(&path, SECRET).await.expect("it is written");
    });
}
