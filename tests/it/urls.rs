//! The URLs of extensions: regular expressions, ordinary handlers of axum behind them.

use crate::common::{contains, each, node_named};
use axum::{
    body::Body,
    http::{Method, Request},
};
use rivetgun::testkit::on_both_databases;
use serde_json::json;

#[test]
fn named_groups_reach_the_handler() {
    on_both_databases("", async |server| {
        let long = "a".repeat(2000);
        for (path, expected) in [
            ("/probe/echo/plain", json!({"text": "plain"})),
            ("/probe/echo/plain/", json!({"text": "plain"})),
            ("/probe/echo/a%20b", json!({"text": "a b"})),
            ("/probe/echo/a+b", json!({"text": "a+b"})),
            ("/probe/echo/a%2Fb", json!({"text": "a/b"})),
            ("/probe/echo/%F0%9F%A6%80", json!({"text": "🦀"})),
            ("/probe/echo/100%25", json!({"text": "100%"})),
            ("/probe/echo/%2525", json!({"text": "%25"})),
            ("/probe/echo/..", json!({"text": ".."})),
            ("/probe/echo/a;b=c,d:e@f!$&'()*", json!({"text": "a;b=c,d:e@f!$&'()*"})),
            (&format!("/probe/echo/{long}"), json!({"text": long})),
            ("/probe/pair/one-two", json!({"first": "two", "second": "one"})),
            ("/probe/maybe", json!({"number": null})),
            ("/probe/maybe/", json!({"number": null})),
            ("/probe/maybe/7", json!({"number": 7})),
            ("/probe/maybe/7/", json!({"number": 7})),
            ("/probe/number/007", json!({"number": 7})),
            ("/probe/query?a=1&b=2", json!({"a": 1, "b": 2})),
            ("/probe/query/?a=1", json!({"a": 1})),
        ] {
            assert_eq!(server.get(path).await.expect(200), expected, "{path}");
        }
    });
}

#[test]
fn the_whole_path_must_match() {
    on_both_databases("", async |server| {
        for path in [
            "/probe",
            "/probe/echo",
            "/probe/echo/",
            "/probe/echo/a/b",
            "/x/probe/echo/a",
            "/Probe/echo/a",
            "/probe/number/x",
            "/probe/number/7/more",
            "/probe/number/-7",
            "/probe/pair/one",
            "/probe/maybe/x",
            "/additional_logger/7x",
            "/additional_logger/clusters",
            "/nonsense",
            "/",
            "",
        ] {
            let problem = server.get(path).await.expect(404);
            assert_eq!((&problem["code"], &problem["title"]), (&json!("RG0404"), &json!("Not Found")), "{path}");
        }
    });
}

#[test]
fn a_method_that_a_url_does_not_have_is_answered_with_those_that_it_has() {
    on_both_databases("", async |server| {
        for (method, path, allowed) in [
            (Method::POST, "/probe/echo/a", "GET,HEAD"),
            (Method::DELETE, "/probe/number/7", "GET,HEAD,PUT"),
            (Method::GET, "/probe/body", "POST"),
            (Method::PATCH, "/additional_logger/7", "DELETE,GET,HEAD"),
            (Method::POST, "/additional_logger/7/", "DELETE,GET,HEAD"),
            (Method::PUT, "/additional_logger/clusters/7", "GET,HEAD"),
            (Method::POST, "/nodes/7", "DELETE,GET,HEAD,PUT"),
        ] {
            let answer = server.request(method.clone(), path, None).await;
            assert_eq!(answer.expect(405)["code"], "RG0405", "{method} {path}");
            let mut allow: Vec<&str> = answer.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
            allow.sort_unstable();
            assert_eq!(allow.join(","), allowed, "{method} {path}");
        }
    });
}

#[test]
fn head_is_get_without_a_body() {
    on_both_databases("", async |server| {
        for (path, status) in [("/probe/echo/a", 200), ("/additional_logger/7", 200), ("/probe/fail/conflict", 409)] {
            assert_eq!(server.request(Method::HEAD, path, None).await.status(), status, "{path}");
        }
        assert_eq!(server.request(Method::HEAD, "/probe/echo/a", None).await.text(), "");
    });
}

#[test]
fn what_a_handler_returns_as_an_error_is_a_problem_with_its_extension() {
    on_both_databases("[limits]\nurl_timeout_ms = 300", async |server| {
        for (how, status, detail) in [
            ("notfound", 404, "there is no such thing"),
            ("invalid", 400, "that makes no sense"),
            ("conflict", 409, "not now"),
            ("veto", 409, "not ever"),
            ("error", 500, "request id"),
            ("panic", 500, "panicked"),
            ("latepanic", 500, "panicked"),
            ("hang", 504, "took longer than 300 ms"),
        ] {
            let problem = server.get(&format!("/probe/fail/{how}")).await.expect(status);
            assert_eq!(problem["extension"], "probe", "{how}");
            assert!(contains(&problem["detail"], detail), "{how}: {problem}");
            assert!(!problem.to_string().contains("secret"), "{problem}");
        }
        server.get("/probe/fail/well").await.expect(204);
    });
}

#[test]
fn what_axum_rejects_is_a_problem() {
    on_both_databases("[limits]\nbody_bytes = 1000", async |server| {
        server.get("/probe/number/9223372036854775807").await.expect(200);
        server.get("/probe/number/9223372036854775808").await.expect(400);
        server.get("/probe/maybe/99999999999999999999").await.expect(400);
        server.get("/additional_logger/99999999999999999999").await.expect(400);
        server.get("/probe/query?a=x").await.expect(400);
        let post = async |body: &str| server.request(Method::POST, "/probe/body", Some(body.to_owned())).await;
        assert_eq!(post("{\"text\": \"t\"}").await.expect(201), json!({"text": "t"}));
        for (body, pointer) in [("{\"text\": 7}", "/text"), ("{\"text\": \"\", \"more\": 1}", "/more"), ("[7]", "")] {
            let problem = post(body).await.expect(400);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        for malformed in ["", "{", "nonsense"] {
            post(malformed).await.expect(400);
        }
        post(&json!({"text": "x".repeat(2000)}).to_string()).await.expect(413);
        server.request(Method::POST, "/probe/body", None).await.expect(415);
    });
}

#[test]
fn a_handler_sees_the_uri_and_the_headers_as_they_came() {
    on_both_databases("", async |server| {
        let request = Request::get("/api/v1/probe/uri/abc?q=%20x&q=2").header("user-agent", "tests");
        let seen = server.send(request.body(Body::empty()).expect("a request")).await.expect(200);
        assert_eq!(seen["original"], "/api/v1/probe/uri/abc?q=%20x&q=2");
        assert_eq!(seen["uri"], "/probe/uri/abc?q=%20x&q=2");
        assert_eq!(seen["agent"], "tests");
    });
}

#[test]
fn a_handler_reads_the_model_and_what_it_does_not_commit_is_gone() {
    on_both_databases("", async |server| {
        let node = node_named(&server, 1, "n").await;
        assert_eq!(server.get(&format!("/probe/node/{node}")).await.expect(200), json!({"name": "n"}));
        let problem = server.get("/probe/node/999").await.expect(404);
        assert_eq!((&problem["extension"], &problem["detail"]), (&json!("probe"), &json!("node 999 does not exist")));
        let rows = server.get("/probe/rows").await.expect(200);
        assert_eq!(rows, json!([["on_node_create", "n"]]));
        server.discover("02:00:00:00:00:02").await;
    });
}

#[test]
fn the_logger_reads_and_forgets_its_entries() {
    on_both_databases("[extensions.additional_logger]\npage_size = 2", async |server| {
        let node = node_named(&server, 1, "n").await;
        let path = format!("/additional_logger/{node}");
        server.put(&format!("/nodes/{node}"), json!({"name": "m", "labels": {"a": 1}})).await.expect(200);
        let entries = server.get(&path).await.expect(200);
        assert_eq!(each(&entries, "event"), ["created", "updated: labels, name"]);
        assert_eq!(entries[0]["node_id"], node);
        server.delete(&format!("/nodes/{node}")).await.expect(200);
        assert_eq!(each(&server.get(&path).await.expect(200), "event"), ["updated: labels, name", "deleted"]);
        server.delete(&path).await.expect(204);
        assert_eq!(server.get(&path).await.expect(200), json!([]));
        let cluster = server.create_cluster("c").await["id"].clone();
        server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        let entries = server.get(&format!("/additional_logger/clusters/{cluster}/")).await.expect(200);
        assert_eq!(each(&entries, "event"), ["deleted"]);
    });
}
