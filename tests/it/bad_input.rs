//! Bodies that are nonsense, on every route: refused with a problem that says what is wrong, never with a 500.

use crate::{
    common::{everything, mac},
    routes::{Routes, There, method_of, refused},
};
use axum::{body::Body, http::Request};
use rivetgun::testkit::on_both_databases;
use serde_json::{Value, json};

#[test]
fn a_body_that_is_not_json_is_refused_everywhere_and_nothing_is_written() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        let routes = Routes::of(&server, &there).await;
        let before = everything(&server).await;
        for (method, path) in &routes.with_body {
            for body in [
                "",
                " ",
                "{",
                "[",
                "nul",
                "{\"a\":}",
                "{'a': 1}",
                "{\"a\": 1,}",
                "{} {}",
                "\u{feff}{}",
                "01",
                "NaN",
                "[1, 2",
                "\"\\ud800\"",
                "\"unclosed",
                "{\"a\": 1e999}",
                "\u{0}",
            ] {
                let answer = server.request(method_of(method), path, Some(body.to_owned())).await;
                assert_eq!(refused(&answer), 400, "{method} {path} {body:?}: {}", answer.text());
            }
            for bytes in [&b"\xff\xfe"[..], b"{\"name\": \"\xc3\x28\"}", b"[\"\x80\"]"] {
                let request = Request::builder().method(method.as_str()).uri(format!("/api/v1{path}"));
                let request =
                    request.header("content-type", "application/json").body(Body::from(bytes)).expect("a request");
                assert_eq!(refused(&server.send(request).await), 400, "{method} {path} {bytes:?}");
            }
        }
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn a_body_of_another_type_never_fails_the_server() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        let routes = Routes::of(&server, &there).await;
        let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let bodies = [
            "null",
            "true",
            "5",
            "-1",
            "1.5",
            "1e300",
            "99999999999999999999999",
            "\"text\"",
            "[]",
            "{}",
            "[null]",
            "[5]",
            "[[]]",
            "[{}]",
            "{\"a\": 1}",
            "{\"name\": null}",
            "{\"name\": {\"a\": []}}",
            "{\"id\": -1}",
            "[{\"id\": -1}]",
            "{\"id\": 99999999999999999999}",
            "[{\"id\": 99999999999999999999}]",
            "[{\"id\": 1.0}]",
            "{\"mac\": \"\"}",
            "{\"status\": \"\"}",
            "{\"nodes\": {\"9999999999999999999999\": {}}}",
            "{\"nodes\": {\"-1\": {}}}",
        ];
        for (method, path) in &routes.with_body {
            let deep = [deep("[", "]"), deep("{\"a\":", "}"), deep("[{\"a\":", "}]")];
            for body in bodies.into_iter().chain(deep.iter().map(String::as_str)) {
                let answer = server.request(method_of(method), path, Some(body.to_owned())).await;
                let shown = &body[..body.len().min(60)];
                assert!(answer.status() < 500, "{method} {path} {shown}: {} {}", answer.status(), answer.text());
                if answer.status() >= 400 {
                    refused(&answer);
                }
            }
        }
        server.discover(&mac(9)).await;
    });
}

#[test]
fn a_list_is_no_object() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        let routes = Routes::of(&server, &there).await;
        server
            .put(&there.path("/clusters/{cluster}/orchestrator/deployment"), json!({"common": {"a": 1}}))
            .await
            .expect(200);
        let before = everything(&server).await;
        let mut taken = Vec::new();
        for (method, path) in &routes.with_body {
            let bodies: &[&str] = match path.as_str() {
                path if path.ends_with("/extensions") => continue,
                "/nodes" if method == "PUT" => &["[[]]", "[[{\"id\": 1}]]", "[[1, null]]"],
                path if path.ends_with("assignment") => &["[[1]]", "[[1, []]]", "[[]]"],
                _ => &["[]", "[\"a\"]", "[{}]", "[{}, {}]", "[\"a\", \"1\"]", "[\"read\"]"],
            };
            for body in bodies {
                let answer = server.request(method_of(method), path, Some((*body).to_owned())).await;
                if answer.status() != 400 {
                    taken.push(format!("{method} {path} {body}: {}", answer.status()));
                }
            }
        }
        assert!(taken.is_empty(), "{taken:#?}");
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn a_body_that_is_too_large_or_not_said_to_be_json_is_refused() {
    on_both_databases("[limits]\nbody_bytes = 2000", async |server| {
        let there = There::in_it(&server).await;
        let routes = Routes::of(&server, &there).await;
        let before = everything(&server).await;
        let large = json!({"name": "x".repeat(3000)}).to_string();
        for (method, path) in &routes.with_body {
            let answer = server.request(method_of(method), path, Some(large.clone())).await;
            assert_eq!(refused(&answer), 413, "{method} {path}: {}", answer.text());
            for content_type in
                [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json"), Some("")]
            {
                let mut request = Request::builder().method(method.as_str()).uri(format!("/api/v1{path}"));
                if let Some(content_type) = content_type {
                    request = request.header("content-type", content_type);
                }
                let answer = server.send(request.body(Body::from("{}")).expect("a request")).await;
                assert_eq!(refused(&answer), 415, "{method} {path} {content_type:?}");
            }
        }
        assert_eq!(everything(&server).await, before);
        let request = Request::post("/api/v1/clusters").header("content-type", "Application/JSON; charset=utf-8");
        server.send(request.body(Body::from("{\"name\": \"c\"}")).expect("a request")).await.expect(201);
    });
}

#[test]
fn a_nul_character_is_stored_or_refused_and_never_fails_the_server() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        let nul = "a\u{0}b";
        for (method, path, body) in [
            ("POST", "/nodes", json!({"mac": mac(1), "name": nul})),
            ("POST", "/nodes", json!({"mac": mac(2), "ip": nul})),
            ("POST", "/nodes", json!({"mac": mac(3), "manufacturer": nul})),
            ("POST", "/nodes", json!({"mac": mac(4), "os_platform": nul})),
            ("POST", "/nodes", json!({"mac": mac(5), "agent_checksum": nul})),
            ("POST", "/nodes", json!({"mac": mac(6), "meta": {"a": nul}})),
            ("POST", "/nodes", json!({"mac": mac(7), "meta": {nul: 1}})),
            ("POST", "/nodes", json!({"mac": nul})),
            ("PUT", "/nodes/agent", json!({"mac": mac(1001), "agent_checksum": nul})),
            ("PUT", "/nodes/agent", json!({"mac": mac(1001), "ip": nul})),
            ("PUT", "/nodes/{node}", json!({"name": nul})),
            ("PUT", "/nodes/{node}", json!({"hostname": nul})),
            ("PUT", "/nodes/{node}", json!({"labels": {nul: nul}})),
            ("PUT", "/nodes/{node}", json!({"attributes": {"a": [nul]}})),
            ("PUT", "/nodes/{node}", json!({"pending_roles": [nul]})),
            ("PUT", "/nodes/{node}", json!({"extensions": [nul]})),
            ("POST", "/clusters", json!({"name": nul})),
            ("POST", "/clusters", json!({"name": "x", "orchestrator": nul})),
            ("POST", "/clusters", json!({"name": "y", "attributes": {nul: nul}})),
            ("PUT", "/clusters/{cluster}", json!({"name": nul})),
            ("PUT", "/clusters/{cluster}/attributes", json!({"a": {"b": nul}})),
            ("PATCH", "/clusters/{cluster}/attributes", json!({"a": nul})),
            ("POST", "/clusters/{cluster}/assignment", json!([{"id": there.node, "roles": [nul]}])),
            ("PUT", "/clusters/{cluster}/extensions", json!([nul])),
            ("PUT", "/clusters/{cluster}/orchestrator/deployment", json!({"common": {nul: nul}})),
            (
                "PUT",
                "/clusters/{cluster}/orchestrator/deployment",
                json!({"nodes": {there.node.to_string(): {"a": nul}}}),
            ),
            ("POST", "/releases", json!({"name": nul, "version": "1"})),
            ("POST", "/releases", json!({"name": "n", "version": "1", "description": nul})),
            ("POST", "/releases", json!({"name": "m", "version": "1", "roles": [nul]})),
            ("PUT", "/releases/{release}", json!({"operating_system": nul})),
            ("PUT", "/notifications/{notification}", json!({"status": nul})),
        ] {
            let answer = server.request(method_of(method), &there.path(path), Some(body.to_string())).await;
            assert!(answer.status() < 500, "{method} {path} {body}: {}", answer.text());
            if answer.status() >= 400 {
                refused(&answer);
            }
        }
        everything(&server).await;
        // What was taken can be worked with.
        let task = server.put(&there.path("/clusters/{cluster}/deploy"), Value::Null).await;
        assert!(task.status() == 202 || task.status() == 400, "{}", task.text());
        if task.status() == 202 {
            server.ended(&task.json()).await;
        }
    });
}

#[test]
fn very_long_lists_are_taken_or_refused() {
    on_both_databases("[limits]\nbody_bytes = 20000000", async |server| {
        let there = There::in_it(&server).await;
        let many = 70_000;
        let macs: Vec<Value> = (0..many).map(|number| json!({"mac": mac(number + 2000)})).collect();
        let ids: Vec<Value> = (0..many).map(|number| json!({"id": number + 1_000_000})).collect();
        let mut failed = Vec::new();
        let words: Vec<String> = (0..many).map(|number| format!("word-{number}")).collect();
        for (method, path, body) in [
            ("POST", "/nodes", json!({"mac": mac(1), "meta": {"interfaces": macs}})),
            ("PUT", "/nodes/agent", json!({"mac": mac(1001), "meta": {"interfaces": macs}})),
            ("PUT", "/nodes", json!(ids)),
            ("POST", "/clusters/{cluster}/assignment", json!(ids)),
            ("POST", "/clusters/{cluster}/unassignment", json!(ids)),
            ("PUT", "/clusters/{cluster}/extensions", json!(words)),
            ("POST", "/releases", json!({"name": "r", "version": "1", "roles": words})),
            ("PUT", "/nodes/{node}", json!({"pending_roles": words})),
        ] {
            let answer = server.request(method_of(method), &there.path(path), Some(body.to_string())).await;
            if answer.status() >= 500 {
                failed.push(format!("{method} {path}: {}", answer.status()));
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
        let ids = (0..many).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let short = &ids[..60_000];
        let answer = server.delete(&format!("/nodes?ids={short}")).await;
        assert!(answer.status() < 500, "{}", answer.status());
    });
}
