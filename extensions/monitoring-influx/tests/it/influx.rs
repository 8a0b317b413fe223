//! Plays InfluxDB.

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rivetgun::testkit::{TestServer, on_both_databases};
use std::{
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A request to write.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) at: Instant,
    /// Path and query.
    pub(crate) uri: String,
    pub(crate) authorization: Option<String>,
    pub(crate) lines: Vec<String>,
    pub(crate) answered: StatusCode,
}

/// How a request with these lines is answered, where it is the how-manieth.
type Answers = Arc<dyn Fn(usize, &[String]) -> Response + Send + Sync>;

/// A server that takes lines.
#[derive(Clone)]
pub(crate) struct Influx {
    answers: Answers,
    writes: Arc<Mutex<Vec<Write>>>,
}

impl Influx {
    /// The requests that came so far.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.lock().clone()
    }

    /// The lines that were taken.
    pub(crate) fn taken(&self) -> Vec<String> {
        let taken = self.writes().into_iter().filter(|write| write.answered.is_success());
        taken.flat_map(|write| write.lines).collect()
    }

    /// Waits until what came is as it should be.
    pub(crate) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            let mut interval = tokio::time::interval(Duration::from_millis(10));
            while !is_so(self) {
                interval.tick().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "what is waited for never comes: {:?}", self.writes());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Write>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a test with an InfluxDB whose URL stands in the settings as `URL`.
pub(crate) fn with_influx(
    settings: &str,
    answers: impl Fn(usize, &[String]) -> Response + Send + Sync + 'static,
    test: impl AsyncFn(TestServer, Influx),
) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let settings =
        format!("[monitoring]\ninterval_ms = 20\n[extensions.monitoring_influx]\n{settings}").replace("URL", &url);
    let answers: Answers = Arc::new(answers);
    on_both_databases(&settings, async |server| {
        let influx = Influx { answers: Arc::clone(&answers), writes: Arc::default() };
        let listener = listener.try_clone().expect("the socket once more");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let router = Router::new().fallback(take).with_state(influx.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        test(server, influx).await;
        serving.abort();
    });
}

/// Takes everything.
pub(crate) fn take_all(_number: usize, _lines: &[String]) -> Response {
    StatusCode::NO_CONTENT.into_response()
}

async fn take(State(influx): State<Influx>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let lines: Vec<String> = String::from_utf8_lossy(&body).lines().map(str::to_owned).collect();
    let number = influx.lock().len();
    let answer = (influx.answers)(number, &lines);
    let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let answered = answer.status();
    influx.lock().push(Write { at: Instant::now(), uri: parts.uri.to_string(), authorization, lines, answered });
    answer
}
