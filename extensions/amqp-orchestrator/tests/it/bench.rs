//! A server, a broker, a worker, and a cluster to work on.

use astute_worker::{Gate, Names, RabbitMq, Worker, shared_rabbitmq};
use rivetgun::{
    prelude::{Value, json},
    testkit::{TestServer, on_both_databases, skip},
};
use std::{sync::Arc, time::Duration};

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a test works with.
pub(crate) struct Bench {
    pub(crate) server: TestServer,
    pub(crate) worker: Worker,
    pub(crate) cluster: Value,
    pub(crate) nodes: Vec<Value>,
}

/// Runs a test on both databases with a cluster of so many nodes, and these settings of the extension.
pub(crate) fn with_nodes<F: Future<Output = ()>>(count: usize, settings: &str, test: impl Fn(Bench) -> F) {
    match shared_rabbitmq() {
        Ok(broker) => with_broker(&broker.url(), count, settings, test),
        Err(reason) => skip("RabbitMQ", &reason),
    }
}

/// Runs a test with a broker of its own, which is not running yet.
pub(crate) fn with_own_broker<F: Future<Output = ()>>(count: usize, test: impl Fn(Bench, &'static RabbitMq) -> F) {
    match RabbitMq::prepare() {
        // It ends with the process.
        Ok(broker) => {
            let broker = Box::leak(Box::new(broker));
            with_broker(&broker.url(), count, "", |bench| test(bench, broker));
        }
        Err(reason) => skip("RabbitMQ", &reason),
    }
}

/// Runs a test with a broker that is away at first.
pub(crate) fn with_gate<F: Future<Output = ()>>(count: usize, test: impl Fn(Bench, Arc<Gate>) -> F) {
    match shared_rabbitmq() {
        Ok(broker) => {
            let gate = Arc::new(Gate::to(broker).expect("a port is free"));
            with_broker(&gate.url(), count, "", |bench| test(bench, Arc::clone(&gate)));
        }
        Err(reason) => skip("RabbitMQ", &reason),
    }
}

fn with_broker<F: Future<Output = ()>>(url: &str, count: usize, settings: &str, test: impl Fn(Bench) -> F) {
    let names = Names::unique();
    on_both_databases(&format!("{}{settings}", names.settings(url)), async |server| {
        let worker = Worker::start(url, &names);
        let mut nodes = Vec::new();
        for number in 1..=count {
            let mac = format!("02:00:00:00:00:{number:02x}");
            let body = json!({"mac": mac, "name": format!("n {number}"), "ip": format!("10.20.0.{number}")});
            nodes.push(server.post("/nodes", body).await.expect(201)["id"].clone());
        }
        let engine = json!({"url": "http://localhost/cobbler_api", "master_ip": "127.0.0.1"});
        let attributes = json!({"provision": {"engine": engine, "pre_provision": []}, "debug": true});
        let wanted = json!({"name": "one", "orchestrator": "amqp", "attributes": attributes});
        let cluster = server.post("/clusters", wanted).await.expect(201)["id"].clone();
        let assigned: Value = nodes.iter().map(|id| json!({"id": id, "roles": ["compute"]})).collect();
        server.post(&format!("/clusters/{cluster}/assignment"), assigned).await.expect(200);
        test(Bench { server, worker, cluster, nodes }).await;
    });
}

impl Bench {
    /// Asks for work on the cluster; the task.
    pub(crate) async fn begin(&self, work: &str) -> Value {
        self.server.put(&format!("/clusters/{}/{work}", self.cluster), Value::Null).await.expect(202)
    }

    /// Asks for work, and waits for its end; it must end so.
    pub(crate) async fn work(&self, work: &str, status: &str) -> Value {
        let task = self.server.ended(&self.begin(work).await).await;
        assert_eq!(task["status"], status, "{work}: {task}");
        task
    }

    /// Says that a task failed, to which the worker says nothing; the task must end so.
    pub(crate) async fn fail(&self, method: &str, task: &Value) {
        let args = json!({"task_uuid": task["uuid"], "status": "error", "progress": 100, "error": "it broke"});
        self.worker.reply(method, args).await;
        assert_eq!(self.server.ended(task).await["status"], "error");
    }

    /// A field of each node.
    pub(crate) async fn each(&self, field: &str) -> Vec<Value> {
        let mut values = Vec::new();
        for id in &self.nodes {
            values.push(self.server.get(&format!("/nodes/{id}")).await.expect(200)[field].clone());
        }
        values
    }

    /// The status of the cluster.
    pub(crate) async fn status(&self) -> Value {
        self.server.get(&format!("/clusters/{}", self.cluster)).await.expect(200)["status"].clone()
    }

    /// Waits until the nodes have these statuses.
    pub(crate) async fn statuses(&self, expected: &[&str]) {
        wait_for(format!("{expected:?}"), async || self.each("status").await == expected).await;
    }

    /// Waits until the server has heard of the work from who does it.
    pub(crate) async fn progresses(&self, task: &Value) {
        wait_for("progress".to_owned(), async || {
            let task = self.server.get(&format!("/tasks/{}", task["id"])).await.expect(200);
            task["progress"].as_i64() > Some(0)
        })
        .await;
    }

    /// The lines of the orchestrator in the log of a task.
    pub(crate) async fn log(&self, task: &Value) -> Vec<String> {
        let log = self.server.get(&format!("/tasks/{}/log", task["id"])).await.expect(200);
        let lines = log.as_array().into_iter().flatten();
        lines.filter_map(|line| Some(line["line"].as_str()?.to_owned())).collect()
    }
}

/// Waits until something is so.
pub(crate) async fn wait_for(what: String, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        while !is_so().await {
            interval.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("in vain waited for {what}"));
}
