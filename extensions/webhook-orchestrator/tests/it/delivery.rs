//! How a task gets to the receiver: what is tried again, what is final, and where requests never go.

use crate::common::{
    OTHER_SECRET, SECRET, ask, cluster_with_nodes, log_of, provision, settings_of, text, with_receiver, work_on,
};
use rivetgun::testkit::on_both_databases;
use std::{net::TcpListener, time::Instant};
use webhook_receiver::{Answer, Receiver, Secret};

#[test]
fn what_may_pass_is_tried_again_under_the_same_id_and_told_in_the_log() {
    with_receiver("timeout = 1", async |server, receiver| {
        let (cluster, _) = cluster_with_nodes(server, 1).await;
        receiver.answers([
            Answer::status(500).text("upgrading\n\u{7}"),
            Answer::never(),
            Answer::status(408),
            Answer::status(202),
        ]);
        let task = work_on(server, &cluster, "provision").await;
        assert_eq!(task["status"], "ready", "{task}");
        let received = receiver.received();
        let answers: Vec<u16> = received.iter().map(|request| request.answered).collect();
        assert_eq!(answers, [500, 0, 408, 202]);
        assert!(
            received
                .iter()
                .all(|request| request.is_signed && request.id == received[0].id && request.body == received[0].body)
        );
        let log = log_of(server, &task).await;
        for (line, part) in
            log.iter().zip(["500 Internal Server Error: upgrading;", "in time;", "408", "at attempt 4: 202"])
        {
            assert!(line.contains(part), "{part} in {log:?}");
        }
    });
}

#[test]
fn a_receiver_says_when_to_try_again() {
    with_receiver("", async |server, receiver| {
        let (cluster, _) = cluster_with_nodes(server, 1).await;
        receiver.answers([Answer::status(429).header("retry-after", "3")]);
        let begin = Instant::now();
        assert_eq!(work_on(server, &cluster, "provision").await["status"], "ready");
        assert!(begin.elapsed().as_secs() >= 3, "{:?}", begin.elapsed());
    });
}

#[test]
fn any_other_answer_is_final_and_the_task_tells_it() {
    with_receiver("", async |server, receiver| {
        let (cluster, nodes) = cluster_with_nodes(server, 1).await;
        let moved = Answer::status(307).header("location", &receiver.url());
        let long = "x".repeat(100_000);
        for (answer, part) in [
            (Answer::status(400).text("no such\nrack"), "400 Bad Request: no such rack"),
            (Answer::status(401), "401"),
            (Answer::status(404).text(long), "404 Not Found: xxx"),
            (moved, "redirects are not followed"),
            (Answer::status(304), "304"),
        ] {
            let known = receiver.received().len();
            receiver.answers([answer]);
            let task = provision(server, &cluster, &nodes).await;
            assert_eq!(task["status"], "error", "{task}");
            assert!(text(&task["message"]).contains(part) && text(&task["message"]).len() < 2000, "{task}");
            assert_eq!(receiver.received().len(), known + 1, "it is asked once");
        }
        assert_eq!(provision(server, &cluster, &nodes).await["status"], "ready", "and can be asked for again");
    });
}

#[test]
fn a_receiver_that_stays_away_is_given_up_in_the_end() {
    with_receiver("retry_for = 1", async |server, receiver| {
        let (cluster, _) = cluster_with_nodes(server, 1).await;
        receiver.answers(vec![Answer::status(503); 10]);
        let task = work_on(server, &cluster, "provision").await;
        assert_eq!(task["status"], "error");
        assert!(text(&task["message"]).contains("503 Service Unavailable"), "{task}");
    });
}

#[test]
fn a_receiver_that_is_not_there_yet_gets_the_task_when_it_comes() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let settings =
        format!("secret = \"{SECRET}\"\nallow_private_addresses = true\nretry_for = 4294967295\nreport_url = \"{{}}\"");
    let settings = settings_of(
        &format!("http://user:word@{address}/tasks"),
        &settings.replace("{}", "https://rivetgun.example.org/"),
    );
    on_both_databases(&settings, async |server| {
        let (cluster, _) = cluster_with_nodes(&server, 1).await;
        let task = ask(&server, &cluster, "provision").await;
        let told = async {
            while log_of(&server, &task).await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), told).await.expect("the outage is told");
        let receiver = Receiver::start_at(address, SECRET).expect("it listens");
        receiver.reports_to(&format!("http://{}", server.listen().await));
        let ended = server.ended(&task).await;
        assert_eq!(ended["status"], "ready", "{ended}");
        assert!(log_of(&server, &task).await[0].contains("cannot be reached: "));
        let report = format!("https://rivetgun.example.org/api/v1/tasks/{}/report", text(&task["uuid"]));
        assert_eq!(receiver.received()[0].json["report"], report);
        assert_eq!(receiver.received()[0].headers["authorization"], "Basic dXNlcjp3b3Jk");
    });
}

#[test]
fn private_addresses_are_refused_unless_they_are_allowed() {
    let receiver = Receiver::start(SECRET).expect("it listens");
    let port = receiver.address().port();
    for host in ["127.0.0.1", "localhost", "user:password@localhost", "[::ffff:127.0.0.1]", "0x7f000001"] {
        let settings =
            settings_of(&format!("http://{host}:{port}/tasks?token=hidden"), &format!("secret = \"{SECRET}\""));
        on_both_databases(&settings, async |server| {
            let (cluster, _) = cluster_with_nodes(&server, 1).await;
            let task = work_on(&server, &cluster, "provision").await;
            assert_eq!(task["status"], "error", "{host}");
            let message = text(&task["message"]);
            assert!(message.contains("allow_private_addresses = true"), "{message}");
            assert!(!message.contains("hidden") && !message.contains("password"), "{message}");
        });
    }
    assert_eq!(receiver.received(), []);
}

#[test]
fn without_its_settings_a_task_is_refused_with_what_to_write() {
    let secret = format!("secret = \"{SECRET}\"");
    for (settings, part) in [
        (String::new(), "`url`"),
        (format!("[extensions.webhook_orchestrator]\n{secret}"), "`url`"),
        (settings_of("http://127.0.0.1:1/", ""), "`secret` or `secret_file`"),
        (settings_of("http://127.0.0.1:1/", "secret_file = \"/nowhere/at/all\""), "`secret_file`"),
    ] {
        on_both_databases(&settings, async |server| {
            let (cluster, _) = cluster_with_nodes(&server, 1).await;
            let task = work_on(&server, &cluster, "provision").await;
            assert_eq!(task["status"], "error");
            let message = text(&task["message"]);
            assert!(message.contains(part) && message.contains("[extensions.webhook_orchestrator]"), "{message}");
            assert!(!message.contains("nowhere"), "{message}");
        });
    }
}

#[test]
fn while_secrets_are_rotated_the_receiver_may_know_either_and_a_file_needs_no_restart() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_owned();
    let receiver = Receiver::start(SECRET).expect("it listens");
    let rest = format!("secret_file = {path:?}\nallow_private_addresses = true");
    on_both_databases(&settings_of(&receiver.url(), &rest), async |server| {
        receiver.forget();
        receiver.reports_to(&format!("http://{}", server.listen().await));
        let (cluster, nodes) = cluster_with_nodes(&server, 1).await;
        for (text, secret, status) in [
            (SECRET.to_owned(), SECRET, "ready"),
            (format!("{OTHER_SECRET}\n{SECRET}\n"), SECRET, "ready"),
            (format!("{OTHER_SECRET}\n{SECRET}\n"), OTHER_SECRET, "ready"),
            (format!("\n{OTHER_SECRET}"), OTHER_SECRET, "ready"),
            (OTHER_SECRET.to_owned(), SECRET, "error"),
        ] {
            tokio::fs::write(&path, text).await.expect("it is written");
            receiver.uses(Secret::parse(secret).expect("a secret"));
            let task = provision(&server, &cluster, &nodes).await;
            assert_eq!(task["status"], status, "{task}");
        }
        let known = receiver.received();
        let signatures = known[1].headers["webhook-signature"].to_str().expect("a text");
        assert_eq!(signatures.split(' ').count(), 2);
        assert_eq!(known[4].answered, 401);
    });
}
