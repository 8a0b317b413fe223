//! The extension with a service that keeps what is posted.

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{Method, StatusCode},
};
use request_monitoring::RequestMonitoring;
use rivetgun::{
    prelude::{Value, json},
    testkit::{Contract, TestServer, on_both_databases},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What was posted: where, and what.
type Posted = Arc<Mutex<Vec<(String, Value)>>>;

/// A service that answers the creation of its bucket with this status, and every third object with one that says "later".
/// It has a thread of its own, since the server asks it while it starts.
fn service(bucket: StatusCode) -> (SocketAddr, Posted) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let posted = Posted::default();
    let router = Router::new().fallback(answer).with_state((bucket, Arc::clone(&posted)));
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener).expect("a listener"), router).await
        })
    });
    (address, posted)
}

async fn answer(State((bucket, posted)): State<(StatusCode, Posted)>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    assert_eq!(parts.method, Method::POST);
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let mut posted = posted.lock().unwrap_or_else(PoisonError::into_inner);
    posted.push((parts.uri.to_string(), json_of(&body)));
    match parts.uri.path() {
        "/1/buckets" => bucket,
        _ if posted.len() % 3 == 0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CREATED,
    }
}

fn json_of(body: &[u8]) -> Value {
    String::from_utf8_lossy(body).parse().unwrap_or_default()
}

fn settings(address: SocketAddr) -> String {
    format!("[monitoring]\ninterval_ms = 20\n[extensions.request_monitoring]\nurl = \"http://{address}/1/buckets\"")
}

async fn status(server: &TestServer) -> Value {
    server.get("/extensions/request_monitoring").await.expect(200)
}

#[test]
fn it_keeps_the_contract() {
    let (address, _) = service(StatusCode::CREATED);
    Contract::of::<RequestMonitoring>().settings(&settings(address)).check();
}

#[test]
fn a_bucket_is_there_after_the_start_and_points_are_posted_to_it() {
    for bucket in [StatusCode::CREATED, StatusCode::CONFLICT] {
        let (address, posted) = service(bucket);
        on_both_databases(&settings(address), async |server| {
            assert_eq!(status(&server).await["status"], "running");
            server.get("/nodes/7").await.expect(404);
            let tags =
                json!({"service": "rivetgun", "route": "/api/v1/nodes/{id}", "method": "GET", "status_code": 404});
            let is_there = || {
                let posted = posted.lock().unwrap_or_else(PoisonError::into_inner).clone();
                assert_eq!(posted[0].0, "/1/buckets?bucket=plugin_test_bucket");
                let mut objects = posted.iter().filter(|(path, _)| path == "/1/buckets/plugin_test_bucket/objects");
                objects.any(|(_, object)| object["tags"] == tags && object["fields"]["execution_time"].is_f64())
            };
            let wait = async {
                while !is_there() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the point is posted");
            server.stop().await;
            posted.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
    }
}

#[test]
fn where_the_bucket_cannot_be_created_the_server_says_so_and_serves_without_it() {
    let (address, posted) = service(StatusCode::INTERNAL_SERVER_ERROR);
    on_both_databases(&settings(address), async |server| {
        let extension = status(&server).await;
        assert_eq!(extension["status"], "failed");
        let reason = extension["reason"].as_str().expect("a reason");
        assert!(reason.contains("the bucket `plugin_test_bucket` could not be created"), "{reason}");
        server.get("/nodes").await.expect(200);
        server.stop().await;
        let posted = posted.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(posted.iter().all(|(path, _)| path == "/1/buckets?bucket=plugin_test_bucket"), "{posted:?}");
    });
}
