//! What is written, and what becomes of it when InfluxDB does not take it.

use crate::influx::{take_all, with_influx};
use axum::{body::Body, http::Request, http::StatusCode, response::IntoResponse};
use rivetgun::testkit::{TestServer, on_both_databases};
use std::{io::Write, time::Duration};

const V2: &str = "url = \"URL/base/\"\norg = \"my org\"\nbucket = \"b\"\ntoken = \"secret\"";

/// Asks for something that is there, and for something that is not.
async fn ask(server: &TestServer) {
    server.get("/nodes").await.expect(200);
    server.get("/nodes/7").await.expect(404);
}

#[test]
fn points_are_written_as_lines_to_a_bucket() {
    with_influx(V2, take_all, async |server, influx| {
        ask(&server).await;
        influx.until(|influx| influx.taken().len() == 3).await;
        let write = &influx.writes()[0];
        assert_eq!(write.uri, "/base/api/v2/write?org=my+org&bucket=b&precision=ns");
        assert_eq!(write.authorization.as_deref(), Some("Token secret"));
        let taken = influx.taken();
        let of = |begin: &str| taken.iter().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{taken:?}"));
        let (tags, route) = (",service=rivetgun,status_code=404", "method=GET,route=/api/v1/nodes");
        let found = of(&format!("requests,{route},service=rivetgun,status_code=200 execution_time="));
        assert!(found.contains(",request_id=\""), "{found}");
        let time = found.rsplit(' ').next().expect("a time");
        assert!(time.len() == 19 && time.parse::<i64>().is_ok(), "{found}");
        of(&format!("requests,{route}/{{id}}{tags} execution_time="));
        of(&format!("errors,error_code=RG0404,{route}/{{id}}{tags} request_id=\""));
    });
}

#[test]
fn an_older_influxdb_gets_them_in_a_database() {
    with_influx("url = \"URL\"\ndatabase = \"d\"\nretention_policy = \"week\"", take_all, async |server, influx| {
        ask(&server).await;
        influx.until(|influx| influx.taken().len() == 3).await;
        let write = &influx.writes()[0];
        assert_eq!((write.uri.as_str(), &write.authorization), ("/write?db=d&rp=week&precision=ns", &None));
    });
}

#[test]
fn a_token_of_a_file_is_read_anew() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let settings = format!("url = \"URL\"\nbucket = \"b\"\ntoken_file = '{}'", file.path().display());
    writeln!(file, "first").expect("a token");
    let path = file.path().to_owned();
    with_influx(&settings, take_all, async |server, influx| {
        tokio::fs::write(&path, "first\n").await.expect("a token");
        ask(&server).await;
        influx.until(|influx| influx.taken().len() == 3).await;
        tokio::fs::write(&path, "second\n").await.expect("a token");
        let known = influx.writes().len();
        ask(&server).await;
        influx.until(|influx| influx.taken().len() == 6).await;
        let tokens: Vec<_> = influx.writes().into_iter().map(|write| write.authorization.expect("a token")).collect();
        assert!(tokens[..known].iter().all(|token| token == "Token first"), "{tokens:?}");
        assert!(tokens[known..].iter().all(|token| token == "Token second"), "{tokens:?}");
    });
}

#[test]
fn what_an_influxdb_in_trouble_did_not_take_is_written_later() {
    for status in [500, 503, 429, 408, 401, 403, 404, 301] {
        let status = StatusCode::from_u16(status).expect("a status");
        let answers = move |number: usize, lines: &[String]| {
            if number == 0 { (status, "not now").into_response() } else { take_all(number, lines) }
        };
        with_influx(V2, answers, async |server, influx| {
            ask(&server).await;
            influx.until(|influx| influx.taken().len() == 3).await;
            let writes = influx.writes();
            assert!(writes[0].answered == status && writes[0].lines == writes[1].lines, "{status}: {writes:?}");
        });
    }
}

#[test]
fn an_influxdb_that_asks_for_patience_gets_it() {
    let answers = |number: usize, lines: &[String]| match number {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response(),
        _ => take_all(number, lines),
    };
    with_influx(V2, answers, async |server, influx| {
        ask(&server).await;
        influx.until(|influx| influx.taken().len() == 3).await;
        let writes = influx.writes();
        assert!(writes[1].at - writes[0].at >= Duration::from_secs(2));
    });
}

#[test]
fn a_line_that_it_refuses_is_dropped_and_all_others_are_written() {
    let answers = |number: usize, lines: &[String]| {
        let is_bad = lines.iter().any(|line| line.starts_with("errors,"));
        if is_bad { (StatusCode::BAD_REQUEST, "unable to parse").into_response() } else { take_all(number, lines) }
    };
    with_influx(V2, answers, async |server, influx| {
        for _ in 0..5 {
            ask(&server).await;
        }
        influx.until(|influx| influx.taken().len() == 10).await;
        assert!(influx.taken().iter().all(|line| line.starts_with("requests,")));
        let dropped = "rivetgun_monitoring_points_dropped_total{extension=\"monitoring_influx\",reason=\"poison\",series=\"errors\"} 5";
        // The last one may still be on its way.
        let wait = async {
            while !metrics(&server).await.contains(dropped) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("all that were refused are counted");
    });
}

#[test]
fn without_a_url_nothing_is_measured_for_it() {
    on_both_databases("", async |server| {
        ask(&server).await;
        assert!(!metrics(&server).await.contains("rivetgun_monitoring_points_queued{"));
    });
}

async fn metrics(server: &TestServer) -> String {
    server.send(Request::get("/metrics").body(Body::empty()).expect("a request")).await.text()
}
