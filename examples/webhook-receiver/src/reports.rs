//! Sends reports, and sends them again for as long as the server is away.

use crate::{
    receiver::{Reported, Shared},
    signature::now,
};
use axum::{body::Bytes, http::Request};
use backon::{ExponentialBuilder, Retryable};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Tells the reports of this process apart.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// Sends a report about a task until it is answered for good: one that is lost would leave the task running for ever.
pub(crate) async fn send(shared: &Shared, task: &str, mut report: Value) {
    if let Some(report) = report.as_object_mut() {
        // The server wants it, signed with all else: a report about one task can then not be sent as one about another.
        report.entry("task").or_insert_with(|| task.into());
    }
    let id = format!("report_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let attempt = || post(shared, task, &id, report.to_string());
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(300)
        .with_jitter();
    let status = attempt.retry(backoff).await.unwrap_or_default();
    let reported = Reported { task: task.to_owned(), report, status };
    shared.reported.send_modify(|all| all.push(reported));
}

/// Sends it once; the status that it was answered with for good.
async fn post(shared: &Shared, task: &str, id: &str, body: String) -> Result<u16, String> {
    // Both may have changed since the last attempt: the time of signing has, and a server may listen elsewhere now.
    let url = shared.report_url(task);
    let headers = shared.secret().sign(id, now(), body.as_bytes());
    let request = headers.into_iter().fold(Request::post(url), |request, (name, value)| request.header(name, value));
    let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body)));
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let sent = client.request(request.map_err(|error| error.to_string())?);
    let limited = tokio::time::timeout(Duration::from_secs(30), sent).await.map_err(|error| error.to_string())?;
    match limited.map_err(|error| error.to_string())?.status() {
        status if status.is_server_error() || status.as_u16() == 429 => Err(status.to_string()),
        status => Ok(status.as_u16()),
    }
}
