//! What stands outside of the server: those who do the work that orchestrators hand out.

use astute_worker::{Names, Worker, shared_rabbitmq};
use rivetgun::testkit::skip;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use webhook_receiver::{Receiver, plays};

/// Does the work of one orchestrator.
pub(crate) trait Outside {
    /// The name of the orchestrator.
    fn name(&self) -> &'static str;

    /// The settings of a server that works with it.
    fn settings(&self) -> String;

    /// Tells it at which address the server listens, where it has to know.
    fn reaches(&self, _address: &str) {}

    /// Whether deployments go on until they are stopped.
    fn holds(&self, _holds: bool) {}

    /// What it saw last, for who looks for a mistake.
    fn seen(&self) -> String {
        String::new()
    }

    /// Checks that of whatever came twice it can tell so.
    fn check_repetitions(&self) {}
}

/// Commands on this machine. Where `endless` is in the data a deployment goes on until it is stopped.
pub(crate) struct Local;

impl Outside for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn settings(&self) -> String {
        "[orchestrators.local]
provision = 'cat >/dev/null; echo progress 50; sleep 0.02'
deploy = 'if grep -q endless; then exec sleep 1000; fi; sleep 0.02'
reset = 'sleep 0.02'
remove = 'sleep 0.02'
"
        .to_owned()
    }
}

/// A worker that plays Astute, behind a broker.
pub(crate) struct Amqp {
    url: String,
    names: Names,
    worker: Worker,
    runtime: tokio::runtime::Runtime,
}

impl Amqp {
    /// Nothing where there is no broker: then that is said.
    pub(crate) fn start() -> Option<Self> {
        let url = match shared_rabbitmq() {
            Ok(broker) => broker.url(),
            Err(reason) => {
                skip("RabbitMQ", &reason);
                return None;
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let names = Names::unique();
        let worker = {
            let _inruntime = runtime.enter();
            Worker::with_pace(&url, &names, Duration::from_millis(5))
        };
        Some(Self { url, names, worker, runtime })
    }
}

impl Outside for Amqp {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn settings(&self) -> String {
        self.names.settings(&self.url)
    }

    fn holds(&self, holds: bool) {
        if holds { self.worker.hold_all() } else { self.worker.release() }
    }

    fn seen(&self) -> String {
        let received = self.runtime.block_on(self.worker.received(0));
        let last = received.iter().rev().take(4).rev();
        last.map(|sent| format!("{} {} {}\n", sent.method(), sent.task_uuid(), sent.args()["stop_task_uuid"])).collect()
    }

    fn check_repetitions(&self) {
        let mut ids = BTreeMap::new();
        for received in self.runtime.block_on(self.worker.received(0)) {
            let what = format!("{} of {}", received.method(), received.task_uuid());
            let id = received.message_id.clone().expect("each message has an id");
            let first = ids.entry(what.clone()).or_insert_with(|| id.clone());
            assert_eq!(*first, id, "{what} came twice, as two messages");
        }
    }
}

/// A receiver of webhooks. Where `endless` is in the data it does not report on a deployment before that is stopped.
pub(crate) struct Webhook(Receiver);

const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBhIHRlc3QsIHdoaWNoIGlzIG5vbmU=";

impl Webhook {
    pub(crate) fn start() -> Self {
        let receiver = Receiver::start(SECRET).expect("a port is free");
        receiver.plays(|request: &Value| match &request["data"]["common"]["endless"] {
            Value::Bool(true) if request["work"] == "deployment" => plays::nothing(request),
            _ => plays::done(request),
        });
        Self(receiver)
    }
}

impl Outside for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn settings(&self) -> String {
        let url = self.0.url();
        format!(
            "[extensions.webhook_orchestrator]\nurl = '{url}'\nsecret = '{SECRET}'\nallow_private_addresses = true\n"
        )
    }

    fn reaches(&self, address: &str) {
        self.0.reports_to(&format!("http://{address}"));
    }

    fn check_repetitions(&self) {
        let mut known = BTreeSet::new();
        for received in self.0.received() {
            assert!(received.is_signed, "{received:?}");
            // Each task is one message, however often it comes.
            assert_eq!(received.is_repeated, !known.insert(received.json["task"].to_string()), "{received:?}");
        }
    }
}
