//! Extensions are listed, and enabled and disabled for a cluster.

use crate::{
    common::{cluster_with_nodes, contains, each, enable, everything, list},
    process::{Serving, database_of, run},
};
use axum::http::Method;
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};

#[test]
fn extensions_are_listed_in_the_total_order_with_all_that_they_are() {
    on_both_databases("", async |server| {
        let cluster = server.create_cluster("c").await["id"].clone();
        enable(&server, &cluster, &["probe"]).await;
        let listed = server.get("/extensions").await.expect(200);
        let names: Vec<&Value> = each(&listed, "name");
        let place = |name: &str| names.iter().position(|known| *known == name).expect("it is listed");
        assert_eq!(place("herald"), 0, "a priority of -1 goes first");
        assert!(place("additional_logger") < place("probe"), "by name");
        assert!(place("probe") < place("bystander"), "after");
        let fields = "name version description url crate priority after requires hooks urls pipelines migrations provides \
            status reason enabled_by";
        for extension in list(&listed) {
            for field in fields.split_whitespace() {
                assert!(extension.get(field).is_some(), "{}: {field}", extension["name"]);
            }
            assert_eq!((&extension["status"], &extension["reason"]), (&json!("running"), &Value::Null));
            let path = format!("/extensions/{}", extension["name"].as_str().expect("a text"));
            assert_eq!(server.get(&path).await.expect(200), *extension);
        }
        let probe = &listed[place("probe")];
        assert_eq!((&probe["version"], &probe["url"]), (&json!("1.2.3"), &json!("https://example.org/probe")));
        assert_eq!((&probe["crate"], &probe["priority"]), (&json!("rivetgun-server"), &json!(0)));
        assert_eq!(probe["enabled_by"], json!([cluster]));
        assert_eq!(probe["migrations"], json!({"applied": ["m20261121_000001_create_rows"], "pending": []}));
        assert_eq!(each(&probe["pipelines"], "name"), ["Mark", "Second"]);
        assert!(list(&probe["hooks"]).contains(&json!("on_node_create")), "{probe}");
        assert!(!list(&probe["hooks"]).contains(&json!("on_node_reset")), "{probe}");
        assert_eq!(listed[place("bystander")]["after"], json!(["faulty", "probe"]));
        for unknown in ["nonsense", "Probe", "%00", "probe%2F"] {
            server.get(&format!("/extensions/{unknown}")).await.expect(404);
        }
    });
}

#[test]
fn urls_are_listed_with_their_paths_and_with_the_role_for_each_method() {
    on_both_databases("", async |server| {
        let probe = server.get("/extensions/probe").await.expect(200);
        let url = |start: &str| {
            let found = list(&probe["urls"]).iter().find(|url| contains(&url["pattern"], start));
            found.unwrap_or_else(|| panic!("{start} in {probe}")).clone()
        };
        let echo = json!({
            "pattern": r"/probe/echo/(?P<text>[^/]+)/?",
            "paths": ["/probe/echo/{text}"],
            "methods": {"GET": "viewer"},
        });
        assert_eq!(url("/probe/echo/"), echo);
        assert_eq!(url("/probe/maybe")["paths"], json!(["/probe/maybe", "/probe/maybe/{number}"]));
        assert_eq!(url("/probe/pair/")["paths"], json!(["/probe/pair/{second}-{first}"]));
        assert_eq!(url("/probe/body")["methods"], json!({"POST": "operator"}));
        assert_eq!(url("/probe/number/")["methods"], json!({"GET": "public", "PUT": "admin"}));
        let logger = server.get("/extensions/additional_logger").await.expect(200);
        assert_eq!(logger["urls"][0]["methods"], json!({"GET": "viewer", "DELETE": "operator"}));
    });
}

#[test]
fn enabling_adds_and_the_list_is_in_the_total_order() {
    on_both_databases("", async |server| {
        let path = extensions_of_a_new_cluster(&server).await;
        assert_eq!(server.get(&path).await.expect(200), json!([]));
        assert_eq!(server.put(&path, json!(["bystander"])).await.expect(200), json!(["bystander"]));
        let enabled = server.put(&path, json!(["additional_logger", "probe", "probe"])).await.expect(200);
        assert_eq!(enabled, json!(["additional_logger", "probe", "bystander"]));
        assert_eq!(server.put(&path, json!([])).await.expect(200), enabled);
        assert_eq!(server.get(&path).await.expect(200), enabled);
        assert_eq!(server.get("/clusters").await.expect(200)[0]["extensions"], enabled);

        server.delete(&format!("{path}?extension_names=probe,additional_logger")).await.expect(204);
        assert_eq!(server.get(&path).await.expect(200), json!(["bystander"]));
        server.get("/clusters/999/extensions").await.expect(404);
        server.put("/clusters/999/extensions", json!([])).await.expect(404);
        server.delete("/clusters/999/extensions?extension_names=probe").await.expect(404);
    });
}

#[test]
fn unknown_names_are_told_sorted_and_nothing_is_applied() {
    on_both_databases("", async |server| {
        let path = extensions_of_a_new_cluster(&server).await;
        server.put(&path, json!(["probe"])).await.expect(200);
        let before = everything(&server).await;
        let problem = server.put(&path, json!(["y", "bystander", "x", "y"])).await.expect(400);
        assert_eq!(problem["detail"], "no such extensions: x, y");
        for (names, unknown) in [("bystander", "bystander"), ("z,probe,a", "a, z"), ("probe,%20", ""), ("", "")] {
            let problem = server.delete(&format!("{path}?extension_names={names}")).await.expect(400);
            assert_eq!(problem["detail"], format!("no such extensions to disable: {unknown}"), "{names}");
        }
        for malformed in ["", "?", "?names=probe", "?extension_names=probe&nonsense=1"] {
            server.delete(&format!("{path}{malformed}")).await.expect(400);
        }
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn a_body_that_is_no_list_of_names_is_refused_with_its_place() {
    on_both_databases("", async |server| {
        let path = extensions_of_a_new_cluster(&server).await;
        let before = everything(&server).await;
        for (body, pointer) in [
            ("\"abc\"", Some("")),
            ("5", Some("")),
            ("null", Some("")),
            ("{\"a\":1}", Some("")),
            ("[[\"x\"]]", Some("/0")),
            ("[\"probe\", null]", Some("/1")),
            ("[\"probe\", 7]", Some("/1")),
            ("", None),
            ("  \n", None),
            ("[\"probe\"", None),
            ("[\"probe\"] []", None),
            ("['probe']", None),
            ("[\"probe\",]", None),
        ] {
            let problem = server.request(Method::PUT, &path, Some(body.to_owned())).await.expect(400);
            if let Some(pointer) = pointer {
                assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
            }
            assert!(!contains(&problem["detail"], "rivetgun::"), "{problem}");
        }
        server.request(Method::PUT, &path, None).await.expect(415);
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn only_the_extension_concerned_hears_that_it_is_enabled_or_disabled() {
    on_both_databases("", async |server| {
        let path = extensions_of_a_new_cluster(&server).await;
        let heard = async |extension: &str| {
            let rows = server.get(&format!("/{extension}/rows")).await.expect(200);
            let of_enabling = |event: &&Value| contains(event, "on_extension_");
            let events: Vec<Value> = list(&rows).iter().map(|row| &row[0]).filter(of_enabling).cloned().collect();
            Value::from(events)
        };
        server.put(&path, json!(["probe"])).await.expect(200);
        assert_eq!(heard("probe").await, json!(["on_extension_enable"]));
        assert_eq!(heard("bystander").await, json!([]));
        server.put(&path, json!(["probe"])).await.expect(200);
        assert_eq!(heard("probe").await, json!(["on_extension_enable"]), "it was enabled already");
        server.put(&path, json!(["probe", "bystander"])).await.expect(200);
        assert_eq!(heard("bystander").await, json!(["on_extension_enable"]));
        server.delete(&format!("{path}?extension_names=probe")).await.expect(204);
        assert_eq!(heard("probe").await, json!(["on_extension_enable", "on_extension_disable"]));
        assert_eq!(heard("bystander").await, json!(["on_extension_enable"]));
        assert_eq!(heard("herald").await, json!([]));
    });
}

#[test]
fn an_extension_that_a_build_lacks_is_missing_until_it_is_disabled() {
    // This test binary has the probe, the server's own has not.
    let dir = tempfile::tempdir().expect("a directory");
    run(dir.path(), &["migrate", "up"]).expect(0);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (cluster, nodes) = runtime.block_on(async {
        let server = TestServer::start(Some(database_of(dir.path())), "").await;
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        enable(&server, &cluster, &["probe", "additional_logger", "herald"]).await;
        server.stop().await;
        (cluster, nodes)
    });
    let serving = Serving::start(dir.path(), &[]);
    let listed = serving.request("GET", "/extensions", &Value::Null, 200);
    let missing: Vec<&Value> = list(&listed).iter().filter(|extension| extension["status"] == "missing").collect();
    let (left, missing): (Vec<&Value>, _) =
        missing.into_iter().partition(|extension| extension["enabled_by"] == json!([]));
    assert_eq!(missing.iter().map(|extension| &extension["name"]).collect::<Vec<_>>(), ["herald", "probe"]);
    assert_eq!(missing[1]["enabled_by"], json!([cluster]));
    assert!(contains(&missing[1]["reason"], "not in this build"));
    // Of the others the database has tables.
    let bystander = left.iter().find(|extension| extension["name"] == "bystander").expect("it is listed");
    assert!(contains(&bystander["reason"], "not in this build"));
    assert_eq!(list(&bystander["migrations"]["applied"]).len(), 1);
    let path = format!("/clusters/{cluster}");
    let enabled = serving.request("GET", &format!("{path}/extensions"), &Value::Null, 200);
    assert_eq!(enabled, json!(["additional_logger", "herald", "probe"]));
    // All but the work goes on.
    serving.request("PUT", &format!("/nodes/{}", nodes[0]), &json!({"name": "on_node_update: veto"}), 200);
    serving.request("PUT", &format!("{path}/attributes"), &json!({"a": 1}), 200);
    serving.request("PUT", &format!("{path}/extensions"), &json!(["additional_logger"]), 200);
    for work in ["provision", "deploy"] {
        let path = format!("{path}/{work}?nodes={}", nodes[0]);
        let problem = serving.request("PUT", &path, &Value::Null, 409);
        assert!(contains(&problem["detail"], "herald, probe enabled for cluster 'c'"), "{problem}");
    }
    serving.request("PUT", &format!("{path}/extensions"), &json!(["probe"]), 400);
    serving.request("DELETE", &format!("{path}/extensions?extension_names=probe,herald"), &Value::Null, 204);
    serving.request("PUT", &format!("{path}/provision"), &Value::Null, 202);
    let listed = serving.request("GET", "/extensions", &Value::Null, 200);
    let is_enabled = |extension: &&Value| extension["enabled_by"] != json!([]);
    assert!(list(&listed).iter().filter(is_enabled).all(|extension| extension["status"] == "running"), "{listed}");
}

async fn extensions_of_a_new_cluster(server: &TestServer) -> String {
    format!("/clusters/{}/extensions", server.create_cluster("c").await["id"])
}

#[test]
fn a_node_can_enable_an_extension_for_itself_alone() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "on_before_deployment_check: veto", 3).await;
        let own = format!("/nodes/{}", nodes[1]);
        server.put(&own, json!({"extensions": ["probe"]})).await.expect(200);
        let path = format!("/clusters/{cluster}/orchestrator/deployment/defaults");
        let data = server.get(&path).await.expect(200);
        assert_eq!(data["common"].get("trail"), None, "what all nodes share is not its to change");
        for node in &nodes {
            let trail = data["nodes"][node.to_string()].get("node_trail");
            let expected = json!(["probe/Mark", "probe/Second"]);
            assert_eq!(trail, (node == &nodes[1]).then_some(&expected), "{node}");
        }
        let preparation = |node: &Value| data["nodes"][node.to_string()]["prepared_number"].clone();
        assert!(preparation(&nodes[1]).is_u64(), "it is prepared for its node");

        server.put(&own, json!({"extensions": ["faulty", "ledger"]})).await.expect(200);
        server.delete("/ledger/rows").await.expect(204);
        let provision = format!("/clusters/{cluster}/provision");
        let problem = server.put(&provision, Value::Null).await.expect(409);
        assert_eq!(problem["extension"], "faulty", "its check is called");
        server.put(&format!("{provision}?nodes={}", nodes[0]), Value::Null).await.expect(202);
        let checked = |rows: &Value| list(rows).iter().any(|row| row[0] == "on_before_deployment_check");
        assert!(!checked(&server.get("/ledger/rows").await.expect(200)), "and not for work on other nodes");
    });
}

#[test]
fn a_name_that_a_node_has_enabled_and_this_build_lacks_stays_and_refuses_work_on_that_node() {
    let dir = tempfile::tempdir().expect("a directory");
    run(dir.path(), &["migrate", "up"]).expect(0);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (cluster, nodes) = runtime.block_on(async {
        let server = TestServer::start(Some(database_of(dir.path())), "").await;
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 2).await;
        let wanted = json!({"extensions": ["probe", "additional_logger"]});
        server.put(&format!("/nodes/{}", nodes[1]), wanted).await.expect(200);
        server.stop().await;
        (cluster, nodes)
    });
    // The real binary has no `probe`.
    let server = Serving::start(dir.path(), &[]);
    let missing = server.request("GET", "/extensions/probe", &Value::Null, 200);
    assert_eq!((&missing["status"], &missing["enabled_by_nodes"]), (&json!("missing"), &json!([nodes[1]])));
    let problem = server.request("PUT", &format!("/clusters/{cluster}/provision"), &Value::Null, 409);
    assert!(contains(&problem["detail"], &format!("probe enabled for node {}", nodes[1])), "{problem}");
    server.request("PUT", &format!("/clusters/{cluster}/provision?nodes={}", nodes[0]), &Value::Null, 202);
    let own = format!("/nodes/{}", nodes[1]);
    let node = server.request("PUT", &own, &json!({"name": "still", "extensions": ["probe"]}), 200);
    assert_eq!(node["extensions"], json!(["probe"]));
    server.request("PUT", &own, &json!({"extensions": ["nonsense"]}), 400);
    assert_eq!(server.request("PUT", &own, &json!({"extensions": []}), 200)["extensions"], json!([]));
}

#[test]
fn what_is_no_list_of_names_is_refused_and_nothing_is_applied() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
        let before = everything(&server).await;
        for malformed in
            [json!("abc"), json!(5), json!(null), json!({"a": 1}), json!([["x"]]), json!([null]), json!([7])]
        {
            let path = format!("/clusters/{cluster}/extensions");
            server.request(Method::PUT, &path, Some(malformed.to_string())).await.expect(400);
            if malformed.is_null() {
                continue; // an absent field of a node stays as it is
            }
            server.put(&format!("/nodes/{}", nodes[0]), json!({"extensions": malformed})).await.expect(400);
            let release = json!({"name": "r", "version": "1", "extensions": malformed});
            server.post("/releases", release).await.expect(400);
        }
        assert_eq!(everything(&server).await, before);
    });
}
