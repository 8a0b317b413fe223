//! The server that tests start for themselves, and the worker without Rivetgun.

use astute_worker::{Names, RabbitMq, Worker};
use serde_json::json;
use std::io::Write;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_while_the_server_is_away_comes_when_it_is_back() {
    let broker = match RabbitMq::start() {
        Ok(broker) => broker,
        Err(reason) if std::env::var_os("RIVETGUN_TEST_REQUIRE_SERVERS").is_none() => {
            drop(writeln!(std::io::stderr(), "skipped: {reason}"));
            return;
        }
        Err(reason) => panic!("{reason}"),
    };
    let worker = Worker::start(&broker.url(), &Names::unique());
    worker.reply("provision_resp", json!({"task_uuid": "1"})).await;
    broker.stop().expect("it stops");
    let (sent, ()) =
        tokio::join!(tokio::time::timeout(std::time::Duration::from_secs(60), worker.send(b"{}")), async {
            tokio::task::block_in_place(|| broker.start_again()).expect("it starts");
        });
    sent.expect("it is sent");
    assert_eq!(worker.waiting_replies().await, 2, "what the broker had it kept");
}
