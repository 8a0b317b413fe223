//! Points of monitoring: which there are, how they come to those who hear of them, and what is lost, and counted, when not.

use crate::{
    common::{cluster_with_nodes, send, until, work_on},
    metrics::Metrics,
    sinks::{Channel, Play},
};
use axum::{body::Body, http::Method, http::Request};
use rivetgun::{
    prelude::{Point, PointValue},
    testkit::{TestServer, on_both_databases},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    time::{Duration, Instant},
};

/// Settings under which `first_sink` hears of points by a channel of this name.
fn heard(channel: &str, monitoring: &str) -> String {
    format!("[extensions.first_sink]\nchannel = \"{channel}\"\n[monitoring]\ninterval_ms = 20\n{monitoring}")
}

/// A point without what differs from run to run.
fn shown(point: &Point) -> Value {
    let mut point = json!(point);
    assert!(point["time"].take().is_string() && point["fields"]["request_id"].take().is_string());
    if point["series"] == "requests" {
        assert!(point["fields"]["execution_time"].take().as_f64().is_some_and(|seconds| seconds > 0.0));
    }
    json!({"tags": point["tags"], "fields": point["fields"]})
}

/// The first points of both series of a request.
async fn points_of(channel: &Channel) -> (Point, Option<Point>) {
    until("a point comes", async || !channel.written("requests").is_empty()).await;
    (channel.written("requests").remove(0), channel.written("errors").pop())
}

/// The numbers of the points of the series `measured` that were written.
fn numbers(channel: &Channel) -> Vec<i64> {
    let number = |point: Point| match point.fields()["number"] {
        PointValue::Integer(number) => number,
        ref other => panic!("{other} is no number"),
    };
    channel.written("measured").into_iter().map(number).collect()
}

#[test]
fn every_request_yields_a_point_and_every_failed_one_a_second() {
    let settings = format!("{}\n[limits]\nurl_timeout_ms = 100", heard("every_request", "service = \"rg-7\""));
    on_both_databases(&settings, async |server| {
        for (method, path, route, status, code) in [
            ("GET", "/api/v1/nodes?limit=1", "/api/v1/nodes", 200, None),
            ("GET", "/api/v1/nodes/7", "/api/v1/nodes/{id}", 404, Some("RG0404")),
            ("GET", "/api/v1/nodes/x/", "/api/v1/nodes/{id}", 404, Some("RG0404")),
            ("BREW", "/api/v1/nodes/7", "/api/v1/nodes/{id}", 405, Some("RG0405")),
            ("GET", "/api/v1/nobody/knows/7", "unmatched", 404, Some("RG0404")),
            ("POST", "/nobody", "unmatched", 404, Some("RG0404")),
            ("GET", "/livez", "/livez", 200, None),
            ("GET", "/api/v1/probe/maybe", "/api/v1/probe/maybe/{number}", 200, None),
            ("GET", "/api/v1/probe/fail/conflict", "/api/v1/probe/fail/{how}", 409, Some("RG0409")),
            ("GET", "/api/v1/probe/fail/panic", "/api/v1/probe/fail/{how}", 500, Some("RG0500")),
            ("GET", "/api/v1/probe/fail/latepanic", "/api/v1/probe/fail/{how}", 500, Some("RG0500")),
            ("GET", "/api/v1/probe/fail/hang", "/api/v1/probe/fail/{how}", 504, Some("RG0504")),
            ("GET", "/api/v1/first_sink/teapot", "/api/v1/first_sink/teapot", 418, Some("418")),
        ] {
            let channel = Channel::open("every_request");
            let request = Request::builder().method(method).uri(path).header("x-request-id", "id-7");
            let answer = server.send(request.body(Body::empty()).expect("a request")).await;
            assert_eq!(answer.status(), status, "{path}");
            let (request, error) = points_of(&channel).await;
            assert_eq!(request.fields()["request_id"], "id-7".into());
            let method = if method == "BREW" { "OTHER" } else { method };
            let mut tags = json!({"service": "rg-7", "route": route, "method": method, "status_code": status});
            let fields = json!({"request_id": null, "execution_time": null});
            assert_eq!(shown(&request), json!({"tags": tags, "fields": fields}), "{path}");
            assert_eq!(error.is_some(), code.is_some(), "{path}");
            if let (Some(error), Some(code)) = (error, code) {
                tags["error_code"] = code.into();
                assert_eq!(shown(&error), json!({"tags": tags, "fields": {"request_id": null}}), "{path}");
                assert_eq!(error.time(), request.time());
            }
        }
    });
}

#[test]
fn a_request_whose_client_hangs_up_yields_its_points_too() {
    on_both_databases(&heard("hung_up", ""), async |server| {
        let channel = Channel::open("hung_up");
        let mut client = std::net::TcpStream::connect(server.listen().await).expect("a connection");
        client.write_all(b"GET /api/v1/first_sink/wait HTTP/1.1\r\nhost: x\r\n\r\n").expect("a request");
        until("the handler waits", async || !channel.written("waits").is_empty()).await;
        drop(client);
        let (request, error) = points_of(&channel).await;
        let tags =
            json!({"service": "rivetgun", "route": "/api/v1/first_sink/wait", "method": "GET", "status_code": 499});
        assert!(json!(request)["tags"] == tags && error.is_some(), "{request:?} {error:?}");
    });
}

#[test]
fn a_handler_adds_tags_and_fields_and_replaces_nothing_of_the_server_s() {
    on_both_databases(&heard("added", ""), async |server| {
        let channel = Channel::open("added");
        server.get("/first_sink/measure/heat/2").await.expect(204);
        let (request, _) = points_of(&channel).await;
        let route = "/api/v1/first_sink/measure/{what}/{count}";
        assert_eq!(
            shown(&request),
            json!({
                "tags": {"service": "rivetgun", "route": route, "method": "GET", "status_code": 204, "what": "heat"},
                "fields": {"request_id": null, "execution_time": null, "count": 2},
            })
        );
        let own = channel.written("measured");
        assert_eq!(own.len(), 2);
        assert_eq!(json!(own[1])["tags"], json!({"service": "rivetgun", "what": "heat", "unit": 1}));
    });
}

#[test]
fn nothing_is_measured_where_nobody_hears_of_it() {
    on_both_databases("", async |server| {
        assert_eq!(server.get("/first_sink/heard").await.expect(200), false);
        server.get("/first_sink/measure/heat/7").await.expect(204);
        assert!(!Metrics::of(&server).await.has("rivetgun_monitoring_points_queued"));
    });
    on_both_databases(&heard("heard", ""), async |server| {
        assert_eq!(server.get("/first_sink/heard").await.expect(200), true);
    });
}

#[test]
fn points_come_in_batches_of_a_size_and_at_the_close() {
    on_both_databases(
        &heard("sizes", "interval_ms = 600_000\nbatch = 5").replace("interval_ms = 20\n", ""),
        async |server| {
            let channel = Channel::open("sizes");
            server.get("/first_sink/measure/heat/11").await.expect(204);
            until("two batches come", async || channel.offered().len() == 2).await;
            assert!(channel.offered().iter().all(|(points, _)| points.len() == 5));
            server.stop().await;
            assert_eq!(numbers(&channel), (0..11).collect::<Vec<_>>());
            assert_eq!(channel.offered()[2].0.len(), 2, "the last, and the point of the request");
        },
    );
}

#[test]
fn what_background_work_and_an_extension_that_is_closed_send_at_their_end_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let faulty = format!("[extensions.faulty]\nwork = 'endless'\ndiary = {:?}\n", dir.path().join("diary"));
    on_both_databases(&format!("{faulty}{}", heard("ends", "")), async |server| {
        let channel = Channel::open("ends");
        server.stop().await;
        let steps: Vec<Value> =
            channel.written("faulty_steps").iter().map(|point| json!(point)["fields"]["step"].clone()).collect();
        assert_eq!(&steps[steps.len() - 2..], ["work ends", "close"], "{steps:?}");
    });
}

#[test]
fn a_single_point_comes_with_the_interval() {
    on_both_databases(&heard("interval", ""), async |server| {
        let channel = Channel::open("interval");
        for known in 0..3 {
            server.get("/first_sink/measure/heat/1").await.expect(204);
            until("the point comes", async || channel.written("measured").len() == known + 1).await;
        }
    });
}

#[test]
fn what_finds_the_queue_full_is_dropped_and_counted_by_its_series() {
    let settings = heard("overload", "queue = 10\nbatch = 5\nwrite_timeout_ms = 300");
    on_both_databases(&settings, async |server| {
        let channel = Channel::open("overload");
        channel.plays(|_| Play::Hang);
        for _ in 0..10 {
            server.get("/first_sink/measure/heat/10").await.expect(204);
        }
        let dropped = async |series: &str| {
            let labels = [("extension", "first_sink"), ("series", series), ("reason", "queue_full")];
            Metrics::of(&server).await.value("rivetgun_monitoring_points_dropped_total", &labels)
        };
        assert!(dropped("measured").await >= 80.0 && dropped("requests").await >= 1.0);
        channel.plays(|_| Play::Written);
        until("the sink is back", async || {
            channel.written("measured").len() as f64 + dropped("measured").await == 100.0
        })
        .await;
    });
}

#[test]
fn a_sink_that_is_away_is_offered_the_same_again() {
    on_both_databases(&heard("away", "batch = 4"), async |server| {
        let channel = Channel::open("away");
        let mut times = 0;
        channel.plays(move |_| {
            times += 1;
            if times < 3 { Play::Unavailable } else { Play::Written }
        });
        server.get("/first_sink/measure/heat/3").await.expect(204);
        until("the points are written", async || channel.written("measured").len() == 3).await;
        let offered = channel.offered();
        assert!(offered[0].0 == offered[1].0 && offered[1].0 == offered[2].0, "{offered:?}");
        assert_eq!(numbers(&channel), [0, 1, 2]);
    });
}

#[test]
fn a_sink_that_stays_away_loses_the_oldest_and_they_are_counted() {
    on_both_databases(&heard("gone", "retry_for_ms = 0"), async |server| {
        let channel = Channel::open("gone");
        channel.plays(|_| Play::Unavailable);
        server.get("/first_sink/measure/heat/3").await.expect(204);
        let labels = [("extension", "first_sink"), ("series", "measured"), ("reason", "sink_away")];
        let dropped = async || Metrics::of(&server).await.value("rivetgun_monitoring_points_dropped_total", &labels);
        until("they are dropped", async || dropped().await == 3.0).await;
        channel.plays(|_| Play::Written);
        server.get("/first_sink/measure/heat/1").await.expect(204);
        until("the next is written", async || numbers(&channel) == [0]).await;
    });
}

#[test]
fn a_point_that_can_never_be_written_is_found_and_dropped_and_all_others_are_written() {
    on_both_databases(&heard("poison", "batch = 64"), async |server| {
        let channel = Channel::open("poison");
        let is_bad =
            |point: &Point| [13, 14, 40].iter().any(|bad| point.fields().get("number") == Some(&(*bad).into()));
        channel.plays(move |points| if points.iter().any(is_bad) { Play::Poison } else { Play::Written });
        server.get("/first_sink/measure/heat/60").await.expect(204);
        until("all others are written", async || channel.written("measured").len() == 57).await;
        let expected: Vec<i64> = (0..60).filter(|number| ![13, 14, 40].contains(number)).collect();
        assert_eq!(numbers(&channel), expected, "each once, in order");
        let labels = [("extension", "first_sink"), ("series", "measured"), ("reason", "poison")];
        let metrics = Metrics::of(&server).await;
        assert_eq!(metrics.value("rivetgun_monitoring_points_dropped_total", &labels), 3.0);
        let faults = [("extension", "first_sink"), ("hook", "on_monitoring"), ("kind", "failed")];
        assert!(metrics.value("rivetgun_extension_faults_total", &faults) >= 3.0);
    });
}

#[test]
fn a_sink_that_panics_or_sleeps_for_ever_changes_neither_an_answer_nor_another_sink() {
    for (name, play) in [("panics", Play::Panic), ("sleeps", Play::Hang)] {
        let settings = format!("{}\n[extensions.second_sink]\nchannel = \"{name}_2\"", heard(name, ""));
        on_both_databases(&settings, async |server| {
            let (bad, good) = (Channel::open(name), Channel::open(&format!("{name}_2")));
            bad.plays(move |_| play);
            for known in 0..5 {
                let start = Instant::now();
                server.get("/first_sink/measure/heat/10").await.expect(204);
                assert!(start.elapsed() < Duration::from_secs(5));
                until("the other hears of it", async || good.written("measured").len() == (known + 1) * 10).await;
            }
            until("the bad one is called", async || !bad.offered().is_empty()).await;
            assert!(bad.written("measured").is_empty());
            bad.plays(|_| Play::Written);
            if play == Play::Panic {
                until("what panicked gets all of it", async || bad.written("measured").len() == 50).await;
            }
        });
    }
}

#[test]
fn a_sink_that_sleeps_for_ever_holds_up_the_stop_for_five_seconds_at_most() {
    on_both_databases(&heard("stop", ""), async |server| {
        let channel = Channel::open("stop");
        channel.plays(|_| Play::Hang);
        server.get("/first_sink/measure/heat/1").await.expect(204);
        until("it is called", async || !channel.offered().is_empty()).await;
        let start = Instant::now();
        server.stop().await;
        assert!((Duration::from_secs(4)..Duration::from_secs(20)).contains(&start.elapsed()));
    });
}

#[test]
fn values_of_a_tag_beyond_the_limit_become_other_and_are_counted() {
    on_both_databases(&heard("cardinality", "tag_values = 6"), async |server| {
        let channel = Channel::open("cardinality");
        server.get("/first_sink/measure/heat/10").await.expect(204);
        until("all are written", async || channel.written("measured").len() == 10).await;
        let units: BTreeSet<String> =
            channel.written("measured").iter().map(|point| point.tags()["unit"].to_string()).collect();
        assert_eq!(units.into_iter().collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5", "other"]);
        let labels = [("extension", "first_sink"), ("series", "measured"), ("tag", "unit")];
        assert_eq!(Metrics::of(&server).await.value("rivetgun_monitoring_tag_values_replaced_total", &labels), 4.0);
    });
}

#[test]
fn the_page_of_metrics_counts_requests_calls_of_extensions_and_tasks() {
    on_both_databases("", async |server: TestServer| {
        server.discover("02:00:00:00:00:01").await;
        send(&server, Method::GET, "/nodes/77", &Value::Null).await.expect(404);
        send(&server, Method::GET, "/probe/fail/panic", &Value::Null).await.expect(500);
        send(&server, Method::GET, "/nobody/knows", &Value::Null).await.expect(404);
        let (cluster, _) = cluster_with_nodes(&server, "one", 1).await;
        work_on(&server, &cluster, "provision").await;
        let metrics = Metrics::of(&server).await;
        let requests = |route, method, status| {
            metrics.value("rivetgun_http_requests_total", &[("route", route), ("method", method), ("status", status)])
        };
        assert_eq!(requests("/api/v1/nodes", "POST", "201"), 2.0);
        assert_eq!(requests("/api/v1/nodes/{id}", "GET", "404"), 1.0);
        assert_eq!(requests("/api/v1/probe/fail/{how}", "GET", "500"), 1.0);
        assert_eq!(requests("unmatched", "GET", "404"), 1.0);
        let took = [("route", "/api/v1/nodes"), ("method", "POST")];
        assert_eq!(metrics.value("rivetgun_http_request_duration_seconds_count", &took), 2.0);
        let hook = [("extension", "probe"), ("hook", "on_node_create")];
        assert!(metrics.value("rivetgun_extension_call_duration_seconds_count", &hook) >= 1.0);
        let panics = [("extension", "probe"), ("hook", "urls"), ("kind", "panicked")];
        assert!(metrics.value("rivetgun_extension_faults_total", &panics) >= 1.0);
        assert_eq!(metrics.value("rivetgun_tasks", &[("status", "ready")]), 1.0);
        assert_eq!(metrics.value("rivetgun_tasks", &[("status", "running")]), 0.0);
        assert_eq!(metrics.value("rivetgun_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
        assert!(metrics.value("process_resident_memory_bytes", &[]) > 1e6);
    });
}
