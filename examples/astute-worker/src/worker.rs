//! A worker: takes messages like Astute, and answers as Astute does.

use crate::{Names, Received, link::Link, work};
use futures_util::StreamExt;
use lapin::options::BasicAckOptions;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays Astute. It works until it is dropped, on as many messages at once as there are, and waits for its broker.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    requests: AbortHandle,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) link: Link,
    pub(crate) state: watch::Sender<State>,
    /// How long a step of the work takes.
    pub(crate) pace: Duration,
}

/// What a worker was sent, and how it is to behave.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) received: Vec<Received>,
    /// Nodes that fail, with the reason.
    pub(crate) failing: BTreeMap<String, String>,
    /// Nodes that cannot be reached.
    pub(crate) away: BTreeSet<String>,
    /// Nodes whose work does not end.
    pub(crate) held: BTreeSet<String>,
    pub(crate) holds_all: bool,
    pub(crate) says_all_twice: bool,
    /// How long it takes to begin with a message that it has taken.
    pub(crate) nap: Duration,
    /// How often it has said something that the broker has.
    pub(crate) said: usize,
    /// The messages that are worked on, from when they are noted.
    pub(crate) current: BTreeSet<String>,
    /// Those of them that were told to stop.
    pub(crate) stopping: BTreeSet<String>,
}

impl State {
    pub(crate) fn holds(&self, uid: &str) -> bool {
        self.holds_all || self.held.contains(uid)
    }
}

impl Worker {
    /// Starts a worker, which works without a pause.
    #[must_use]
    pub fn start(url: &str, names: &Names) -> Self {
        Self::with_pace(url, names, Duration::ZERO)
    }

    /// Starts a worker that takes so long for each step of its work.
    #[must_use]
    pub fn with_pace(url: &str, names: &Names, pace: Duration) -> Self {
        let link = Link::new(url, names);
        let shared = Arc::new(Shared { link, state: watch::Sender::default(), pace });
        let mut tasks = JoinSet::new();
        let requests = tasks.spawn(take_requests(Arc::clone(&shared)));
        tasks.spawn(take_stops(Arc::clone(&shared)));
        Self { shared, requests, tasks }
    }

    /// Work on this node fails from now on.
    pub fn fail(&self, uid: &str, reason: &str) {
        self.shared.state.send_modify(|state| drop(state.failing.insert(uid.to_owned(), reason.to_owned())));
    }

    /// Work on this node goes well from now on.
    pub fn mend(&self, uid: &str) {
        self.shared.state.send_modify(|state| {
            state.failing.remove(uid);
            state.away.remove(uid);
        });
    }

    /// This node cannot be reached from now on.
    pub fn lose(&self, uid: &str) {
        self.shared.state.send_modify(|state| state.away.extend([uid.to_owned()]));
    }

    /// Work on this node does not end before [`Worker::release`].
    pub fn hold(&self, uid: &str) {
        self.shared.state.send_modify(|state| state.held.extend([uid.to_owned()]));
    }

    /// No work ends before [`Worker::release`].
    pub fn hold_all(&self) {
        self.shared.state.send_modify(|state| state.holds_all = true);
    }

    /// What was held goes on.
    pub fn release(&self) {
        self.shared.state.send_modify(|state| {
            state.held.clear();
            state.holds_all = false;
        });
    }

    /// It forgets the work that it has, as if it had been started anew.
    pub fn forget(&self) {
        self.shared.state.send_modify(|state| state.current.clear());
    }

    /// It takes no work from now on, drops what it has, and hears stops only.
    pub fn rest(&self) {
        self.requests.abort();
    }

    /// It goes: what it has it drops, and it hears nothing any more.
    ///
    /// # Panics
    /// When the broker still takes it to be there after a minute.
    pub async fn leave(&mut self) {
        self.tasks.shutdown().await;
        let gone = tokio::time::timeout(PATIENCE, self.shared.link.is_deaf()).await;
        assert!(gone.is_ok(), "the broker still knows it");
    }

    /// From now on it takes so long to begin with a message that it has taken.
    pub fn nap(&self, nap: Duration) {
        self.shared.state.send_modify(|state| state.nap = nap);
    }

    /// Everything is said twice from now on.
    pub fn say_all_twice(&self) {
        self.shared.state.send_modify(|state| state.says_all_twice = true);
    }

    /// All that it was sent, once that is so many messages at least.
    ///
    /// # Panics
    /// When they do not come in a minute.
    pub async fn received(&self, count: usize) -> Vec<Received> {
        self.received_until(&format!("{count} messages"), |received| received.len() >= count).await
    }

    /// All that it was sent, once it is what is waited for.
    ///
    /// # Panics
    /// When it does not become so in a minute.
    pub async fn received_until(&self, what: &str, mut is_it: impl FnMut(&[Received]) -> bool) -> Vec<Received> {
        let mut state = self.shared.state.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, state.wait_for(|state| is_it(&state.received)));
        match waiting.await {
            Ok(Ok(state)) => state.received.clone(),
            _ => panic!("in vain waited for {what}; there is {:#?}", self.shared.state.borrow().received),
        }
    }

    /// All that it was sent, once that is more than so many messages; nothing when it has ended.
    pub async fn more_than(&self, count: usize) -> Option<Vec<Received>> {
        let mut state = self.shared.state.subscribe();
        Some(state.wait_for(|state| state.received.len() > count).await.ok()?.received.clone())
    }

    /// Waits until the broker has so many of its replies.
    ///
    /// # Panics
    /// When that is not so in a minute.
    pub async fn said(&self, count: usize) {
        let mut state = self.shared.state.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, state.wait_for(|state| state.said >= count)).await;
        assert!(waiting.is_ok(), "in vain waited for {count} replies; it said {}", self.shared.state.borrow().said);
    }

    /// Sends a reply.
    pub async fn reply(&self, method: &str, args: Value) {
        self.shared.reply(method, args).await;
    }

    /// Sends anything at all to the queue of replies.
    pub async fn send(&self, body: &[u8]) {
        self.shared.link.publish(body).await;
    }

    /// Takes the replies that could not be read, once there is one.
    ///
    /// # Panics
    /// When there is none in a minute.
    pub async fn dead_letters(&self) -> Vec<Vec<u8>> {
        let taking = async {
            loop {
                match self.shared.link.take(&self.shared.link.names.dead_letters).await {
                    Ok(taken) => return taken,
                    Err(_) => Link::pause().await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, taking).await.unwrap_or_else(|_| panic!("no message was set aside"))
    }

    /// How many messages wait in the queue of work, as far as nobody has taken them.
    ///
    /// # Panics
    /// When the broker is away.
    pub async fn waiting_requests(&self) -> u32 {
        self.waiting_in(&self.shared.link.names.requests).await
    }

    /// How many replies wait in their queue, as far as nobody has taken them.
    ///
    /// # Panics
    /// When the broker is away.
    pub async fn waiting_replies(&self) -> u32 {
        self.waiting_in(&self.shared.link.names.replies).await
    }

    async fn waiting_in(&self, queue: &str) -> u32 {
        let count = self.shared.link.count(queue).await;
        count.unwrap_or_else(|error| panic!("the broker does not tell: {error}"))
    }
}

impl Shared {
    pub(crate) async fn reply(&self, method: &str, args: Value) {
        let body = serde_json::json!({"method": method, "args": args}).to_string();
        let times = if self.state.borrow().says_all_twice { 2 } else { 1 };
        for _ in 0..times {
            self.link.publish(body.as_bytes()).await;
            self.state.send_modify(|state| state.said += 1);
        }
    }
}

async fn take_requests(shared: Arc<Shared>) {
    let mut works = JoinSet::new();
    loop {
        if let Some((_open, mut consumer)) = shared.link.requests().await {
            while let Some(Ok(delivery)) = consumer.next().await {
                // As Astute does it: what it has begun it does not begin again.
                let ack = tokio::time::timeout(Link::LIMIT, delivery.ack(BasicAckOptions::default()));
                if !matches!(ack.await, Ok(Ok(_))) {
                    break;
                }
                let Ok(received) = Received::of(&delivery) else { continue };
                let nap = shared.state.borrow().nap;
                tokio::time::sleep(nap).await;
                let is_new = shared.note(&received);
                if is_new {
                    works.spawn(work::work_on(Arc::clone(&shared), received));
                }
            }
        }
        Link::pause().await;
    }
}

async fn take_stops(shared: Arc<Shared>) {
    loop {
        if let Some((_open, mut consumer)) = shared.link.stops().await {
            while let Some(Ok(delivery)) = consumer.next().await {
                drop(delivery.ack(BasicAckOptions::default()).await);
                let Ok(received) = Received::of(&delivery) else { continue };
                shared.note(&received);
                for stop in &received {
                    work::stop(&shared, stop).await;
                }
            }
        }
        Link::pause().await;
    }
}

impl Shared {
    /// Notes a message; whether it came for the first time.
    fn note(&self, received: &[Received]) -> bool {
        let mut is_new = true;
        self.state.send_modify(|state| {
            let id = received.first().and_then(|first| first.message_id.as_ref());
            is_new = id.is_none() || !state.received.iter().any(|known| known.message_id.as_ref() == id);
            state.received.extend_from_slice(received);
            let works = received.iter().filter(|received| is_new && received.method() != "stop_deploy_task");
            state.current.extend(works.map(|work| work.task_uuid().to_owned()));
        });
        is_new
    }
}
