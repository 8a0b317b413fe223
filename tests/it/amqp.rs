//! The binary and a broker: servers that are killed while Astute works, on both databases.

use crate::{
    common::mac,
    process::{Serving, database_of, wait_for},
};
use astute_worker::{Names, Worker, shared_rabbitmq};
use rivetgun::{
    prelude::sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement},
    testkit,
};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tempfile::tempdir;
use tokio::runtime::Runtime;

#[test]
fn a_server_that_is_killed_while_astute_works_hears_how_it_ended() {
    on_both(4, |bench| {
        let serving = bench.serve("");
        let task = bench.begin(&serving, "changes");
        bench.runtime.block_on(bench.worker.received(1));
        bench.wait(&serving, &task, |task| task["progress"].as_i64() > Some(0));
        serving.kill();
        // What is said while nobody listens waits for the next start.
        bench.worker.release();
        wait_for("replies", || (bench.runtime.block_on(bench.worker.waiting_replies()) > 0).then_some(()));

        let serving = bench.serve("");
        bench.wait(&serving, &task, |task| task["status"] == "ready");
        let nodes = serving.request("GET", "/nodes", &Value::Null, 200);
        assert!(nodes.as_array().expect("a list").iter().all(|node| node["status"] == "ready"), "{nodes}");
        let sent = bench.runtime.block_on(bench.worker.received(2));
        assert_eq!(sent.iter().map(|sent| sent.method()).collect::<Vec<_>>(), ["image_provision", "task_deploy"]);
    });
}

#[test]
fn a_reply_is_acknowledged_only_once_what_it_brought_is_committed() {
    on_both(3, |bench| {
        let serving = bench.serve("");
        let task = bench.begin(&serving, "provision");
        bench.runtime.block_on(bench.worker.received(1));
        bench.wait(&serving, &task, |task| task["progress"].as_i64() >= Some(60));
        wait_for("the receipt", || bench.knows("SELECT 1 FROM tasks WHERE receipt IS NOT NULL").then_some(()));
        let lock = bench.lock();
        bench.worker.release();
        let waiting = || bench.runtime.block_on(bench.worker.waiting_replies());
        // One for each node, and the end.
        bench.runtime.block_on(bench.worker.said(8));
        wait_for("a server that has taken the replies", || (waiting() == 0).then_some(()));
        serving.kill();
        wait_for("the replies", || (waiting() == 4).then_some(()));
        bench.runtime.block_on(lock.close()).expect("it closes");
        let serving = bench.serve("");
        bench.wait(&serving, &task, |task| task["status"] == "ready");
    });
}

#[test]
fn what_is_not_known_to_be_sent_is_sent_again_under_the_same_ids() {
    on_both(3, |bench| {
        let serving = bench.serve("nodes_a_message = 2");
        let task = bench.begin(&serving, "provision");
        let sent = bench.runtime.block_on(bench.worker.received(2));
        wait_for("the receipt", || bench.knows("SELECT 1 FROM tasks WHERE receipt IS NOT NULL").then_some(()));
        // All that the worker has to say for now is heard: a reply tells that its message has arrived.
        bench.runtime.block_on(bench.worker.said(8));
        bench.wait(&serving, &task, |task| task["progress"].as_i64() >= Some(60));
        wait_for("an empty queue", || (bench.runtime.block_on(bench.worker.waiting_replies()) == 0).then_some(()));
        serving.kill();
        wait_for("an empty queue", || (bench.runtime.block_on(bench.worker.waiting_replies()) == 0).then_some(()));
        // As if it had been killed between the broker's confirmation and the note of it.
        bench.write("UPDATE tasks SET receipt = NULL; UPDATE amqp_orchestrator_messages SET state = 'written'");

        // Which nodes are in which message is settled, whatever the settings say now.
        let serving = bench.serve("nodes_a_message = 50");
        let again = bench.runtime.block_on(bench.worker.received(4));
        for (first, second) in sent.iter().zip(&again[2..]) {
            assert_eq!((&first.message_id, &first.envelope), (&second.message_id, &second.envelope));
        }
        assert_ne!(sent[0].message_id, sent[1].message_id);
        bench.worker.release();
        bench.wait(&serving, &task, |task| task["status"] == "ready");
    });
}

#[test]
fn a_deployment_outlives_a_server_that_is_killed_again_and_again() {
    on_both(4, |bench| {
        let serving = bench.serve("nodes_a_message = 1");
        bench.worker.release();
        let task = bench.begin(&serving, "changes");
        serving.kill();
        for progress in [5, 30, 60, 90] {
            let serving = bench.serve("nodes_a_message = 1");
            bench.wait(&serving, &task, |task| task["progress"].as_i64() >= Some(progress));
            serving.kill();
        }
        let serving = bench.serve("nodes_a_message = 1");
        bench.wait(&serving, &task, |task| task["status"] == "ready");
        let nodes = serving.request("GET", "/nodes", &Value::Null, 200);
        assert!(nodes.as_array().expect("a list").iter().all(|node| node["status"] == "ready"), "{nodes}");
    });
}

/// A broker, a worker that holds all work, a database, and a place for a server.
struct Bench<'a> {
    runtime: &'a Runtime,
    worker: Worker,
    settings: String,
    dir: &'a Path,
    database: String,
    nodes: usize,
}

/// Runs a test on both databases.
fn on_both(nodes: usize, test: impl Fn(&Bench<'_>)) {
    let broker = match shared_rabbitmq() {
        Ok(broker) => broker,
        Err(reason) => return testkit::skip("RabbitMQ", &reason),
    };
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let run = |database: Option<String>| {
        let dir = tempdir().expect("a directory");
        let names = Names::unique();
        let worker = Worker::start(&broker.url(), &names);
        worker.hold_all();
        let database = database.unwrap_or_else(|| database_of(dir.path()));
        let settings = names.settings(&broker.url());
        test(&Bench { runtime: &runtime, worker, settings, dir: dir.path(), database, nodes });
    };
    run(None);
    match std::thread::scope(|scope| scope.spawn(testkit::new_postgres_database).join().expect("no panic")) {
        Ok(url) => run(Some(url)),
        Err(reason) => testkit::skip("PostgreSQL", &reason),
    }
}

impl Bench<'_> {
    /// A server, with these settings of the extension beside those of the broker.
    fn serve(&self, settings: &str) -> Serving {
        fs::write(self.dir.join("settings.toml"), format!("{}{settings}", self.settings)).expect("a file");
        Serving::start(self.dir, &["--config", "settings.toml", "--database-url", &self.database])
    }

    /// Makes a cluster, and asks for work on it.
    fn begin(&self, serving: &Serving, work: &str) -> Value {
        let wanted = json!({"name": "one", "orchestrator": "amqp"});
        let cluster = serving.request("POST", "/clusters", &wanted, 201)["id"].clone();
        let discover = |number| serving.request("POST", "/nodes", &json!({"mac": mac(number)}), 201)["id"].clone();
        let nodes: Value = (1..=self.nodes).map(|number| json!({"id": discover(number), "roles": ["a"]})).collect();
        serving.request("POST", &format!("/clusters/{cluster}/assignment"), &nodes, 200);
        serving.request("PUT", &format!("/clusters/{cluster}/{work}"), &Value::Null, 202)
    }

    fn wait(&self, serving: &Serving, task: &Value, is_so: impl Fn(&Value) -> bool) {
        let path = format!("/tasks/{}", task["id"]);
        wait_for("a task", || {
            let task = serving.request("GET", &path, &Value::Null, 200);
            assert_ne!(task["status"], "error", "{task}");
            is_so(&task).then_some(())
        });
    }

    fn write(&self, sql: &str) {
        self.runtime.block_on(async {
            let connection = Database::connect(&self.database).await.expect("the database");
            for statement in sql.split("; ") {
                connection.execute_unprepared(statement).await.expect("it can be written");
            }
            connection.close().await.expect("it closes");
        });
    }

    /// A connection that keeps everybody else from writing.
    fn lock(&self) -> DatabaseConnection {
        self.runtime.block_on(async {
            let mut options = ConnectOptions::new(&self.database);
            options.max_connections(1);
            let connection = Database::connect(options).await.expect("the database");
            let sql = match connection.get_database_backend() {
                DbBackend::Postgres => "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE",
                _ => "BEGIN IMMEDIATE",
            };
            connection.execute_unprepared(sql).await.expect("it is locked");
            connection
        })
    }

    fn knows(&self, sql: &str) -> bool {
        self.runtime.block_on(async {
            let connection = Database::connect(&self.database).await.expect("the database");
            let backend = connection.get_database_backend();
            let statement = Statement::from_string(backend, sql);
            let found = connection.query_one_raw(statement).await.expect("it can be read").is_some();
            connection.close().await.expect("it closes");
            found
        })
    }
}
