//! What listens, and what is known of what it heard.

use crate::{
    Answer, Secret, plays, reports,
    signature::{now, text},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
};

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens for tasks, and reports on them. It ends when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Handle,
    /// Closed with the receiver, and what ends then.
    open: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Its headers, as they came.
    pub headers: HeaderMap,
    /// Its `webhook-id`.
    pub id: String,
    /// Whether it was signed with the secret, and not too long ago.
    pub is_signed: bool,
    /// Whether one with the same id had come before.
    pub is_repeated: bool,
    /// Its body, as it came.
    pub body: Bytes,
    /// Its body, read; `null` where it is not JSON.
    pub json: Value,
    /// The status that it was answered with; 0 for no answer.
    pub answered: u16,
}

/// A report that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The uuid of its task.
    pub task: String,
    /// Its body.
    pub report: Value,
    /// The status that it was answered with; 0 where the server stayed away.
    pub status: u16,
}

type Play = Arc<dyn Fn(&Value) -> Vec<Value> + Send + Sync>;

/// What the receiver shares with what it does.
pub(crate) struct Shared {
    secret: Mutex<Secret>,
    /// Where the server is, as `http://host:port`.
    server: Mutex<Option<String>>,
    pause: Mutex<Duration>,
    play: Mutex<Play>,
    answers: Mutex<VecDeque<Answer>>,
    /// The ids of what was taken on.
    taken_on: Mutex<BTreeSet<String>>,
    received: watch::Sender<Vec<Received>>,
    pub(crate) reported: watch::Sender<Vec<Reported>>,
}

impl Receiver {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// When it cannot listen, or the secret is none.
    pub fn start(secret: &str) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), secret)
    }

    /// Listens on this address.
    ///
    /// # Errors
    /// When it cannot listen, or the secret is none.
    pub fn start_at(address: SocketAddr, secret: &str) -> io::Result<Self> {
        let secret = Secret::parse(secret).map_err(io::Error::other)?;
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::of(secret));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (open, closed) = oneshot::channel::<()>();
        let listened = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("webhook-receiver".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = serve(listener, listened) => {}
                    _ = closed => {}
                }
            });
        })?;
        Ok(Self { address, shared, runtime: handle, open: Some((open, thread)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `url` for the settings.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/tasks", self.address)
    }

    /// Forgets all that came and all that it was told but the secret: for the next test.
    pub fn forget(&self) {
        *lock(&self.shared.server) = None;
        self.pauses(Duration::ZERO);
        self.plays(plays::done);
        lock(&self.shared.answers).clear();
        lock(&self.shared.taken_on).clear();
        self.shared.received.send_replace(Vec::new());
        self.shared.reported.send_replace(Vec::new());
    }

    /// Takes another secret, for what comes and for what is sent from now on.
    pub fn uses(&self, secret: Secret) {
        *lock(&self.shared.secret) = secret;
    }

    /// Sends reports to the server at `http://host:port`, from now on, wherever a request says.
    pub fn reports_to(&self, server: &str) {
        *lock(&self.shared.server) = Some(server.trim_end_matches('/').to_owned());
    }

    /// Waits so long before each report, from now on.
    pub fn pauses(&self, pause: Duration) {
        *lock(&self.shared.pause) = pause;
    }

    /// Which reports follow a request that is taken on, from now on; at first [`plays::done`].
    pub fn plays(&self, play: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static) {
        *lock(&self.shared.play) = Arc::new(play);
    }

    /// Gives the next requests these answers, in place of taking them on. A good one is taken on all the same.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.shared.answers).extend(answers);
    }

    /// What came so far, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// What was reported so far, with what became of it.
    #[must_use]
    pub fn reported(&self) -> Vec<Reported> {
        self.shared.reported.borrow().clone()
    }

    /// Sends a report about a task, in the background and until it is answered.
    pub fn report(&self, task: &str, report: Value) {
        let (shared, task) = (Arc::clone(&self.shared), task.to_owned());
        self.runtime.spawn(async move { reports::send(&shared, &task, report).await });
    }

    /// Waits until so many requests have come; all of them.
    ///
    /// # Panics
    /// When they do not come in a minute.
    pub async fn received_many(&self, count: usize) -> Vec<Received> {
        soon("requests", many(&self.shared.received, count)).await
    }

    /// Waits until so many reports are answered; all of them.
    ///
    /// # Panics
    /// When they are not in a minute.
    pub async fn reported_many(&self, count: usize) -> Vec<Reported> {
        soon("reports", many(&self.shared.reported, count)).await
    }

    /// Waits, for ever, for requests beyond the first so many; those.
    pub async fn received_after(&self, known: usize) -> Vec<Received> {
        many(&self.shared.received, known + 1).await.split_off(known)
    }

    /// Waits, for ever, for the answers to reports beyond the first so many; those reports.
    pub async fn reported_after(&self, known: usize) -> Vec<Reported> {
        many(&self.shared.reported, known + 1).await.split_off(known)
    }
}

impl Drop for Receiver {
    /// Nothing listens on its port any more when it is gone.
    fn drop(&mut self) {
        if let Some((open, thread)) = self.open.take() {
            drop(open);
            // It ends without a word, or has panicked and told so.
            drop(thread.join());
        }
    }
}

async fn many<T: Clone>(all: &watch::Sender<Vec<T>>, count: usize) -> Vec<T> {
    let mut all = all.subscribe();
    match all.wait_for(|all| all.len() >= count).await {
        Ok(all) => all.clone(),
        // The sender is borrowed for as long as this waits.
        Err(_) => Vec::new(),
    }
}

async fn soon<T>(what: &str, found: impl Future<Output = T>) -> T {
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("in vain waited for {what}"))
}

impl Shared {
    fn of(secret: Secret) -> Self {
        Self {
            secret: Mutex::new(secret),
            server: Mutex::default(),
            pause: Mutex::default(),
            play: Mutex::new(Arc::new(plays::done)),
            answers: Mutex::default(),
            taken_on: Mutex::default(),
            received: watch::Sender::default(),
            reported: watch::Sender::default(),
        }
    }

    pub(crate) fn secret(&self) -> Secret {
        lock(&self.secret).clone()
    }

    /// Where reports about a task go.
    pub(crate) fn report_url(&self, task: &str) -> String {
        let path = format!("/api/v1/tasks/{task}/report");
        if let Some(server) = &*lock(&self.server) {
            return format!("{server}{path}");
        }
        let received = self.received.borrow();
        let request = received.iter().rev().find(|received| received.json["task"] == task);
        request.and_then(|request| request.json["report"].as_str()).map_or(path, str::to_owned)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Shared")
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let router = Router::new().route("/tasks", post(hear)).layer(DefaultBodyLimit::disable()).with_state(shared);
    axum::serve(TcpListener::from_std(listener)?, router).await
}

async fn hear(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = text(&headers, "webhook-id").to_owned();
    let is_signed = shared.secret().has_signed(&headers, &body);
    let given = lock(&shared.answers).pop_front();
    let answer = match given {
        Some(answer) => answer,
        None if !is_signed => Answer::status(401).text("the signature is wrong, or too old"),
        None if json.is_null() => Answer::status(400).text("the body is not JSON"),
        None => Answer::status(202),
    };
    let is_taken_on = StatusCode::from_u16(answer.code()).is_ok_and(|status| status.is_success());
    let is_new = is_taken_on && lock(&shared.taken_on).insert(id.clone());
    let answered = answer.code();
    shared.received.send_modify(|all| {
        let is_repeated = all.iter().any(|earlier| earlier.id == id);
        all.push(Received { headers, is_signed, is_repeated, body, json: json.clone(), answered, id: id.clone() });
    });
    if is_new {
        tokio::spawn(work_on(Arc::clone(&shared), json));
    }
    if answered == 202 {
        (StatusCode::ACCEPTED, Json(json!({"id": id, "time": now()}))).into_response()
    } else {
        answer.give().await
    }
}

/// Reports on a task that was taken on.
async fn work_on(shared: Arc<Shared>, request: Value) {
    let (play, pause) = (lock(&shared.play).clone(), *lock(&shared.pause));
    let task = request["task"].as_str().unwrap_or_default().to_owned();
    for report in play(&request) {
        tokio::time::sleep(pause).await;
        reports::send(&shared, &task, report).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
