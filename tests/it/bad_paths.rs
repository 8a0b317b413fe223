//! Paths, queries and methods that are nonsense: refused with a problem that says what is wrong, never with a 500.

use crate::{
    common::{everything, list},
    routes::{Routes, There, method_of, refused},
};
use axum::{body::Body, http::Request};
use rivetgun::testkit::on_both_databases;
use serde_json::Value;

#[test]
fn what_is_no_id_is_the_id_of_nothing() {
    on_both_databases("", async |server| {
        There::in_it(&server).await;
        let before = everything(&server).await;
        let long = "9".repeat(5000);
        let ids = [
            "0",
            "-1",
            "999999",
            "9223372036854775807",
            "9223372036854775808",
            "abc",
            "1.5",
            "1e3",
            "%00",
            "%ff",
            "%20",
            "..%2f1",
            "1%2f",
            "é",
            "'",
            "null",
            &long,
        ];
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
        let routes = Routes::of(&server, &there).await;
        for path in &routes.lists {
            for query in [
                "limit=-1",
                "limit=x",
                "limit=",
                "limit=1.5",
                "limit=99999999999999999999",
                "offset=-1",
                "offset=x",
                "order_by=nonsense",
                "order_by=",
                "order_by=-",
                "order_by=id;drop",
                "order_by=%00",
                "nonsense=1",
                "limit=1&limit=2",
            ] {
                let answer = server.get(&format!("{path}?{query}")).await;
                assert_eq!(refused(&answer), 400, "{path}?{query}: {}", answer.text());
            }
            for (query, status) in [
                ("limit=0", 200),
                ("limit=18446744073709551615", 200),
                ("offset=18446744073709551615", 416),
                ("offset=9223372036854775808&limit=1", 416),
                ("", 200),
                ("order_by=-id", 200),
            ] {
                let answer = server.get(&format!("{path}?{query}")).await;
                assert_eq!(answer.status(), status, "{path}?{query}: {}", answer.text());
            }
        }
        for query in [
            "nodes?status=nonsense",
            "nodes?online=2",
            "nodes?cluster_id=x",
            "nodes?cluster_id=99999999999999999999",
            "tasks?status=nonsense",
            "tasks?cluster_id=x",
            "clusters/1/orchestrator/deployment/defaults?nodes=1,x",
            "clusters/1/orchestrator/deployment/defaults?nodes=99999999999999999999",
        ] {
            assert_eq!(refused(&server.get(&format!("/{query}")).await), 400, "{query}");
        }
        for query in [
            "nodes?role=%00",
            "nodes?role=%ff",
            "nodes?role=%22%5D",
            "nodes?role=%25",
            "nodes?role=%27",
            "nodes?role=%5C",
            "clusters?name=%00",
            "clusters?name=%27",
            "nodes?%ff=1",
            "nodes?=",
            "nodes?&&",
            "nodes?cluster_id=-1",
        ] {
            let answer = server.get(&format!("/{query}")).await;
            assert!(answer.status() < 500, "{query}: {}", answer.text());
        }
    });
}

#[test]
fn a_list_is_ordered_by_each_of_its_fields() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        let routes = Routes::of(&server, &there).await;
        for path in &routes.lists {
            let entries = server.get(path).await.expect(200);
            let fields = list(&entries).first().and_then(Value::as_object).expect("there is an entry").keys();
            for field in fields {
                for order_by in [field.clone(), format!("-{field}")] {
                    let answer = server.get(&format!("{path}?order_by={order_by}")).await;
                    assert!(
                        answer.status() == 200 || refused(&answer) == 400,
                        "{path} by {order_by}: {}",
                        answer.text()
                    );
                }
            }
        }
    });
}

#[test]
fn a_method_or_a_path_that_is_not_there_is_a_problem() {
    on_both_databases("", async |server| {
        let there = There::in_it(&server).await;
        let routes = Routes::of(&server, &there).await;
        for path in routes.reading.iter().chain(routes.with_body.iter().map(|(_, path)| path)) {
            for method in ["TRACE", "CONNECT", "NONSENSE"] {
                let answer = server.request(method_of(method), path, None).await;
                assert_eq!(refused(&answer), 405, "{method} {path}");
                assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{method} {path}");
            }
            assert_eq!(refused(&server.get(&format!("{path}/nonsense/nonsense")).await), 404, "{path}");
        }
        for path in &routes.reading {
            assert_eq!(server.get(path).await.expect(200), server.get(&format!("{path}/")).await.expect(200), "{path}");
        }
        for path in
            ["/", "/api", "/api/v1", "/api/v1/", "/api/v2/nodes", "/nodes", "//", "/errors/RG9999", "/%00", "/%ff"]
        {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            assert_eq!(refused(&server.send(request).await), 404, "{path}");
        }
        for path in ["/livez", "/readyz", "/errors/RG0409"] {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            server.send(request).await.expect(200);
        }
    });
}
