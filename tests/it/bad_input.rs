//! Nonsense of every kind, on every route: refused with a problem that says what is wrong, never with a 500.

use crate::common::{cluster_with_nodes, contains, everything, list, mac, work_on};
use axum::{
    body::Body,
    http::{Method, Request},
};
use rivetgun::testkit::{Answer, TestServer, on_both_databases};
use serde_json::{Value, json};

/// Every route with a body. `{cluster}` and the like stand for the id of one that is there.
const WITH_BODY: [(&str, &str); 17] = [
    ("POST", "/nodes"),
    ("PUT", "/nodes"),
    ("PUT", "/nodes/agent"),
    ("PUT", "/nodes/{node}"),
    ("POST", "/clusters"),
    ("PUT", "/clusters/{cluster}"),
    ("PUT", "/clusters/{cluster}/attributes"),
    ("PATCH", "/clusters/{cluster}/attributes"),
    ("POST", "/clusters/{cluster}/assignment"),
    ("POST", "/clusters/{cluster}/unassignment"),
    ("PUT", "/clusters/{cluster}/extensions"),
    ("PUT", "/clusters/{cluster}/orchestrator/deployment"),
    ("PUT", "/clusters/{cluster}/orchestrator/provisioning"),
    ("POST", "/releases"),
    ("PUT", "/releases/{release}"),
    ("PUT", "/notifications/{notification}"),
    ("POST", "/probe/body"),
];

/// Every route that reads.
const READING: [&str; 20] = [
    "/nodes",
    "/nodes/{node}",
    "/nodes/allocation/stats",
    "/clusters",
    "/clusters/{cluster}",
    "/clusters/{cluster}/attributes",
    "/clusters/{cluster}/extensions",
    "/clusters/{cluster}/orchestrator/deployment",
    "/clusters/{cluster}/orchestrator/deployment/defaults",
    "/releases",
    "/releases/{release}",
    "/extensions",
    "/extensions/probe",
    "/tasks",
    "/tasks/{task}",
    "/tasks/{task}/log",
    "/notifications",
    "/notifications/stats",
    "/info",
    "/probe/rows",
];

const LISTS: [&str; 6] = ["/nodes", "/clusters", "/releases", "/tasks", "/tasks/{task}/log", "/notifications"];

#[test]
fn a_body_that_is_not_json_is_refused_everywhere_and_nothing_is_written() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        let before = everything(&server).await;
        for (method, path) in WITH_BODY {
            for body in ["", " ", "{", "[", "nul", "{\"a\":}", "{'a': 1}", "{\"a\": 1,}", "{} {}", "\u{feff}{}", "01", "NaN",
                "[1, 2", "\"\\ud800\"", "\"unclosed", "{\"a\": 1e999}", "\u{0}"] {
                let answer = server.request(method_of(method), &there.path(path), Some(body.to_owned())).await;
                assert_eq!(refused(&answer), 400, "{method} {path} {body:?}: {}", answer.text());
            }
            for bytes in [&b"\xff\xfe"[..], b"{\"name\": \"\xc3\x28\"}", b"[\"\x80\"]"] {
                let request = Request::builder().method(method).uri(format!("/api/v1{}", there.path(path)));
                let request = request.header("content-type", "application/json").body(Body::from(bytes)).expect("a request");
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
        let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let bodies = [
            "null", "true", "5", "-1", "1.5", "1e300", "99999999999999999999999", "\"text\"", "[]", "{}", "[null]", "[5]",
            "[[]]", "[{}]", "{\"a\": 1}", "{\"name\": null}", "{\"name\": {\"a\": []}}", "{\"id\": -1}", "[{\"id\": -1}]",
            "{\"id\": 99999999999999999999}", "[{\"id\": 99999999999999999999}]", "[{\"id\": 1.0}]", "{\"mac\": \"\"}",
            "{\"status\": \"\"}", "{\"nodes\": {\"9999999999999999999999\": {}}}", "{\"nodes\": {\"-1\": {}}}",
        ];
        for (method, path) in WITH_BODY {
            let deep = [deep("[", "]"), deep("{\"a\":", "}"), deep("[{\"a\":", "}]")];
            for body in bodies.into_iter().chain(deep.iter().map(String::as_str)) {
                let answer = server.request(method_of(method), &there.path(path), Some(body.to_owned())).await;
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
        server.put(&there.path("/clusters/{cluster}/orchestrator/deployment"), json!({"common": {"a": 1}})).await.expect(200);
        let before = everything(&server).await;
        let mut taken = Vec::new();
        for (method, path) in WITH_BODY {
            let bodies: &[&str] = match path {
                "/clusters/{cluster}/extensions" => continue,
                "/nodes" if method == "PUT" => &["[[]]", "[[{\"id\": 1}]]", "[[1, null]]"],
                path if path.ends_with("assignment") => &["[[1]]", "[[1, []]]", "[[]]"],
                _ => &["[]", "[\"a\"]", "[{}]", "[{}, {}]", "[\"a\", \"1\"]", "[\"read\"]"],
            };
            for body in bodies {
                let answer = server.request(method_of(method), &there.path(path), Some((*body).to_owned())).await;
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
        let before = everything(&server).await;
        let large = json!({"name": "x".repeat(3000)}).to_string();
        for (method, path) in WITH_BODY {
            let answer = server.request(method_of(method), &there.path(path), Some(large.clone())).await;
            assert_eq!(refused(&answer), 413, "{method} {path}: {}", answer.text());
            for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json"), Some("")] {
                let mut request = Request::builder().method(method).uri(format!("/api/v1{}", there.path(path)));
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
            ("PUT", "/clusters/{cluster}/orchestrator/deployment", json!({"nodes": {there.node.to_string(): {"a": nul}}})),
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
fn what_is_no_id_is_the_id_of_nothing() {
    on_both_databases("", async |server| {
        There::in_it(&server).await;
        let before = everything(&server).await;
        let long = "9".repeat(5000);
        let ids = ["0", "-1", "999999", "9223372036854775807", "9223372036854775808", "abc", "1.5", "1e3", "%00", "%ff", "%20",
            "..%2f1", "1%2f", "é", "'", "null", &long];
        for (method, path) in [
            ("GET", "/nodes/ID"),
            ("PUT", "/nodes/ID"),
            ("DELETE", "/nodes/ID"),
            ("GET", "/clusters/ID"),
            ("PUT", "/clusters/ID"),
            ("DELETE", "/clusters/ID"),
            ("DELETE", "/clusters/ID?force=true"),
            ("GET", "/clusters/ID/attributes"),
            ("PUT", "/clusters/ID/attributes"),
            ("PATCH", "/clusters/ID/attributes"),
            ("GET", "/clusters/ID/extensions"),
            ("DELETE", "/clusters/ID/extensions?extension_names=probe"),
            ("GET", "/clusters/ID/orchestrator/deployment"),
            ("PUT", "/clusters/ID/orchestrator/deployment"),
            ("DELETE", "/clusters/ID/orchestrator/deployment"),
            ("GET", "/clusters/ID/orchestrator/deployment/defaults"),
            ("PUT", "/clusters/ID/provision"),
            ("PUT", "/clusters/ID/deploy"),
            ("GET", "/releases/ID"),
            ("PUT", "/releases/ID"),
            ("GET", "/tasks/ID"),
            ("DELETE", "/tasks/ID"),
            ("GET", "/tasks/ID/log"),
            ("GET", "/extensions/ID"),
        ] {
            for id in ids {
                let uri = path.replace("ID", &id.replace('é', "%C3%A9"));
                let answer = server.request(method_of(method), &uri, Some("{}".to_owned())).await;
                let expected = if id == "%ff" { [400, 404] } else { [404, 404] };
                assert!(expected.contains(&refused(&answer)), "{method} {uri}: {}", answer.text());
            }
        }
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn a_query_that_is_not_of_the_schema_is_refused() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        for path in LISTS {
            for query in ["limit=-1", "limit=x", "limit=", "limit=1.5", "limit=99999999999999999999", "offset=-1", "offset=x",
                "order_by=nonsense", "order_by=", "order_by=-", "order_by=id;drop", "order_by=%00", "nonsense=1", "limit=1&limit=2"] {
                let answer = server.get(&format!("{}?{query}", there.path(path))).await;
                assert_eq!(refused(&answer), 400, "{path}?{query}: {}", answer.text());
            }
            for (query, status) in [("limit=0", 200), ("limit=18446744073709551615", 200), ("offset=18446744073709551615", 416),
                ("offset=9223372036854775808&limit=1", 416), ("", 200), ("order_by=-id", 200)] {
                let answer = server.get(&format!("{}?{query}", there.path(path))).await;
                assert_eq!(answer.status(), status, "{path}?{query}: {}", answer.text());
            }
        }
        for query in ["nodes?status=nonsense", "nodes?online=2", "nodes?cluster_id=x", "nodes?cluster_id=99999999999999999999",
            "tasks?status=nonsense", "tasks?cluster_id=x", "clusters/1/orchestrator/deployment/defaults?nodes=1,x",
            "clusters/1/orchestrator/deployment/defaults?nodes=99999999999999999999"] {
            assert_eq!(refused(&server.get(&format!("/{query}")).await), 400, "{query}");
        }
        for query in ["nodes?role=%00", "nodes?role=%ff", "nodes?role=%22%5D", "nodes?role=%25", "nodes?role=%27", "nodes?role=%5C",
            "clusters?name=%00", "clusters?name=%27", "nodes?%ff=1", "nodes?=", "nodes?&&", "nodes?cluster_id=-1"] {
            let answer = server.get(&format!("/{query}")).await;
            assert!(answer.status() < 500, "{query}: {}", answer.text());
        }
    });
}

#[test]
fn a_list_is_ordered_by_each_of_its_fields() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        for path in LISTS {
            let entries = server.get(&there.path(path)).await.expect(200);
            let fields = list(&entries).first().and_then(Value::as_object).expect("there is an entry").keys();
            for field in fields {
                for order_by in [field.clone(), format!("-{field}")] {
                    let answer = server.get(&format!("{}?order_by={order_by}", there.path(path))).await;
                    assert!(answer.status() == 200 || refused(&answer) == 400, "{path} by {order_by}: {}", answer.text());
                }
            }
        }
    });
}

#[test]
fn a_method_or_a_path_that_is_not_there_is_a_problem() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        for path in READING.into_iter().chain(WITH_BODY.into_iter().map(|(_, path)| path)) {
            let path = there.path(path);
            for method in ["TRACE", "CONNECT", "NONSENSE"] {
                let answer = server.request(method_of(method), &path, None).await;
                assert_eq!(refused(&answer), 405, "{method} {path}");
                assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{method} {path}");
            }
            assert_eq!(refused(&server.get(&format!("{path}/nonsense/nonsense")).await), 404, "{path}");
        }
        for path in READING {
            let path = there.path(path);
            assert_eq!(server.get(&path).await.expect(200), server.get(&format!("{path}/")).await.expect(200), "{path}");
        }
        for path in ["/", "/api", "/api/v1", "/api/v1/", "/api/v2/nodes", "/nodes", "//", "/errors/RG9999", "/%00", "/%ff"] {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            assert_eq!(refused(&server.send(request).await), 404, "{path}");
        }
        for path in ["/livez", "/readyz", "/errors/RG0409"] {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            server.send(request).await.expect(200);
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

/// What is there for paths to name.
struct There {
    cluster: Value,
    node: Value,
    task: Value,
    release: Value,
    notification: Value,
}

impl There {
    async fn in_it(server: &TestServer) -> Self {
        let (cluster, nodes) = cluster_with_nodes(server, "there", 1).await;
        let task = work_on(server, &cluster, "provision").await["id"].clone();
        let first = async |path: &str| server.get(path).await.expect(200)[0]["id"].clone();
        let (release, notification) = (first("/releases").await, first("/notifications").await);
        Self { cluster, node: nodes[0].clone(), task, release, notification }
    }

    fn path(&self, pattern: &str) -> String {
        let ids = [
            ("{cluster}", &self.cluster),
            ("{node}", &self.node),
            ("{task}", &self.task),
            ("{release}", &self.release),
            ("{notification}", &self.notification),
        ];
        ids.into_iter().fold(pattern.to_owned(), |path, (name, id)| path.replace(name, &id.to_string()))
    }
}

/// The status of an answer, which must be the problem of a request.
#[track_caller]
fn refused(answer: &Answer) -> u16 {
    assert!((400..500).contains(&answer.status()), "{} {}", answer.status(), answer.text());
    let problem = answer.expect(answer.status());
    let code = format!("RG0{}", answer.status());
    assert_eq!(problem["code"], code, "{problem}");
    assert!(contains(&problem["type"], &code), "{problem}");
    for text in ["title", "detail"] {
        assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{text} of {problem}");
    }
    for inner in ["sqlx", "SQLSTATE", "rivetgun::", "panicked", "SELECT ", "INSERT "] {
        assert!(!contains(&problem["detail"], inner), "{problem}");
    }
    answer.status()
}

fn method_of(method: &str) -> Method {
    method.parse().expect("a method")
}
