//! Hooks run inside of the change that they report: whoever refuses or fails there takes the change with it, or, where
//! the operator wants that, only what he wrote himself.

use crate::common::{assign, contains, each, enable, everything, list, mac, node_named, send, work_on};
use axum::http::Method;
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};

const HASTY: &str = "[extensions.faulty]\nhook_timeout_ms = 300";
const ISOLATED: &str = "[extensions.faulty]\nhook_timeout_ms = 300\non_fault = \"isolate\"";

/// Every hook that can refuse a request.
const HOOKS: [&str; 17] = [
    "on_node_create",
    "on_node_update",
    "on_node_delete",
    "on_node_collection_delete",
    "on_node_assign",
    "on_remove_node_from_cluster",
    "on_nodegroup_create",
    "on_nodegroup_delete",
    "on_cluster_create",
    "on_cluster_update",
    "on_cluster_delete",
    "on_cluster_patch_attributes",
    "on_extension_enable",
    "on_extension_disable",
    "on_before_deployment_check",
    "on_before_deployment_serialization",
    "on_before_provisioning_serialization",
];

/// What it can be made to do in any hook, with the status and a part of the detail that come of it.
const FAULTS: [(&str, u16, &str); 7] = [
    ("error", 500, "failed"),
    ("early panic", 500, "panicked"),
    ("late panic", 500, "panicked"),
    ("bad statement", 500, "failed"),
    ("hang", 504, "took longer than 300 ms"),
    ("slow", 504, "took longer than 300 ms"),
    ("foreign statement", 500, "failed"),
];

#[test]
fn a_veto_refuses_the_change_with_its_reason() {
    on_both_databases(HASTY, async |server| {
        for (number, hook) in HOOKS.into_iter().enumerate() {
            let problem = refused(&server, hook, "veto", number).await.expect(409);
            assert_eq!(problem["detail"], "the faulty extension says no", "{hook}");
            assert_eq!(problem["extension"], "faulty", "{hook}");
        }
    });
}

#[test]
fn an_error_refuses_the_change_and_keeps_its_secret() {
    on_both_databases(HASTY, async |server| refuse_everywhere(&server, FAULTS[0]).await);
}

#[test]
fn a_panic_refuses_the_change_and_the_server_goes_on() {
    on_both_databases(HASTY, async |server| refuse_everywhere(&server, FAULTS[1]).await);
}

#[test]
fn a_panic_after_an_await_refuses_the_change_and_the_server_goes_on() {
    on_both_databases(HASTY, async |server| refuse_everywhere(&server, FAULTS[2]).await);
}

#[test]
fn a_statement_that_the_database_refuses_is_a_fault_like_any_other() {
    on_both_databases(HASTY, async |server| refuse_everywhere(&server, FAULTS[3]).await);
}

#[test]
fn a_hook_that_hangs_refuses_the_change_when_its_time_is_over() {
    on_both_databases(HASTY, async |server| refuse_everywhere(&server, FAULTS[4]).await);
}

#[test]
fn a_statement_that_takes_too_long_is_a_hook_that_takes_too_long() {
    on_both_databases(HASTY, async |server| refuse_everywhere(&server, FAULTS[5]).await);
}

#[test]
fn a_statement_that_reaches_for_the_core_s_tables_is_not_run() {
    on_both_databases(HASTY, async |server| refuse_everywhere(&server, FAULTS[6]).await);
}

#[test]
fn an_isolated_fault_takes_only_what_its_extension_wrote() {
    on_both_databases(ISOLATED, async |server| {
        let mut number = 0;
        for hook in HOOKS {
            for (how, _, detail) in FAULTS {
                number += 1;
                let Attempt { method, path, body, ok } = arrange(&server, hook, how, number).await;
                let answer = send(&server, method, &path, &body).await.expect(ok);
                if ok == 202 {
                    server.ended(&answer).await;
                }
                let row = json!([hook, format!("{hook}: {how}")]);
                let rows = async |extension: &str| match extension {
                    "faulty" => server.get("/faulty/calls").await.expect(200),
                    _ => server.get(&format!("/{extension}/rows")).await.expect(200),
                };
                for (extension, stays) in [("herald", true), ("faulty", false), ("bystander", true)] {
                    // Enabling is told to the extension concerned alone.
                    let concerned = !hook.starts_with("on_extension_") && !hook.starts_with("on_before_");
                    let expected = stays && (concerned || extension == "faulty");
                    assert_eq!(list(&rows(extension).await).contains(&row), expected, "{extension} after {row}");
                }
                let told = server.get("/notifications?order_by=-id").await.expect(200);
                let told = list(&told).iter().find(|told| told["extension"] == "faulty").expect("a notification");
                assert_eq!(told["topic"], "warning");
                assert!(contains(&told["message"], hook) && contains(&told["message"], detail), "{row}: {told}");
                assert!(!contains(&told["message"], "secret"), "{told}");
                let faulty = server.get("/extensions/faulty").await.expect(200);
                assert_eq!(faulty["status"], "degraded", "{row}");
                assert!(contains(&faulty["reason"], hook), "{row}: {faulty}");
            }
        }
        assert_eq!(server.get("/extensions/bystander").await.expect(200)["status"], "running");
    });
}

#[test]
fn an_isolated_extension_can_still_refuse() {
    on_both_databases(ISOLATED, async |server| {
        for (number, hook) in HOOKS.into_iter().enumerate() {
            let problem = refused(&server, hook, "veto", number).await.expect(409);
            assert_eq!(problem["extension"], "faulty", "{hook}");
        }
        assert_eq!(server.get("/extensions/faulty").await.expect(200)["status"], "running", "a veto is no fault");
    });
}

#[test]
fn a_deletion_by_force_always_gets_through() {
    on_both_databases(HASTY, async |server| {
        for (number, how) in
            ["veto", "error", "early panic", "late panic", "bad statement", "hang"].into_iter().enumerate()
        {
            let cluster = server.create_cluster(&format!("on_cluster_delete: {how}")).await["id"].clone();
            let used = node_named(&server, 10 * number + 1, &format!("on_node_delete: {how}")).await;
            let other = node_named(&server, 10 * number + 2, &format!("on_node_collection_delete: {how}")).await;
            assign(&server, &cluster, &[used.clone(), other.clone()], &[]).await;
            assert_eq!(work_on(&server, &cluster, "provision").await["status"], "ready");
            let free = node_named(&server, 10 * number + 3, &format!("on_remove_node_from_cluster: {how}")).await;
            assign(&server, &cluster, std::slice::from_ref(&free), &[]).await;
            let path = format!("/clusters/{cluster}");

            let before = everything(&server).await;
            let refused = server.delete(&path).await;
            assert!([409, 500, 504].contains(&refused.status()), "{how}: {}", refused.text());
            assert_eq!(everything(&server).await, before, "{how}");

            let task = server.delete(&format!("{path}?force=true")).await.expect(202);
            assert_eq!(task["status"], "ready");
            server.get(&path).await.expect(404);
            assert_eq!(server.get(&format!("/nodes/{free}")).await.expect(200)["cluster"], Value::Null);
            for deleted in [&used, &other] {
                server.get(&format!("/nodes/{deleted}")).await.expect(404);
            }
        }
    });
}

#[test]
fn the_vetoes_of_a_check_are_told_together() {
    on_both_databases("", async |server| {
        let cluster = server.create_cluster("on_before_deployment_check: veto, and bystander").await["id"].clone();
        enable(&server, &cluster, &["faulty", "bystander"]).await;
        let node = node_named(&server, 1, "n").await;
        assign(&server, &cluster, &[node], &[]).await;
        let before = everything(&server).await;
        let problem = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(409);
        let errors = json!([
            {"extension": "faulty", "detail": "the faulty extension says no"},
            {"extension": "bystander", "detail": "the bystander says no"},
        ]);
        assert_eq!(problem["errors"], errors);
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn an_extension_that_is_not_enabled_checks_nothing() {
    on_both_databases("", async |server| {
        let cluster = server.create_cluster("on_before_deployment_check: veto").await["id"].clone();
        let node = node_named(&server, 1, "n").await;
        assign(&server, &cluster, &[node], &[]).await;
        assert_eq!(work_on(&server, &cluster, "provision").await["status"], "ready");
    });
}

#[test]
fn hooks_are_called_in_the_total_order() {
    on_both_databases("", async |server| {
        let cluster = server.create_cluster("in order").await["id"].clone();
        enable(&server, &cluster, &["bystander", "herald", "probe"]).await;
        let node = node_named(&server, 1, "node in order").await;
        assign(&server, &cluster, std::slice::from_ref(&node), &["a"]).await;
        work_on(&server, &cluster, "provision").await;
        work_on(&server, &cluster, "deploy").await;
        let task = server.delete(&format!("/nodes/{node}")).await.expect(202);
        server.ended(&task).await;
        server.delete(&format!("/clusters/{cluster}")).await.expect(202);
        let told = server.get("/notifications").await.expect(200);
        let of_hooks: Vec<Value> = list(&told).iter().filter(|told| told["topic"] == "warning").cloned().collect();
        let calls = each_of_three(&of_hooks);
        for call in &calls {
            assert_eq!(call.1, ["herald", "probe", "bystander"], "{}", call.0);
        }
        let hooks: Vec<&str> = calls.iter().map(|(hook, _)| hook.as_str()).collect();
        for (earlier, later) in [
            ("on_cluster_create", "on_extension_enable"),
            ("on_extension_enable", "on_node_create"),
            ("on_node_create", "on_node_assign"),
            ("on_node_assign", "on_before_deployment_check"),
            ("on_before_deployment_check", "on_before_provisioning_serialization"),
            ("on_before_provisioning_serialization", "on_node_update to provisioning"),
            ("on_node_update to provisioning", "on_node_update to provisioned"),
            ("on_node_update to provisioned", "on_before_deployment_serialization"),
            ("on_before_deployment_serialization", "on_node_update to deploying"),
            ("on_node_update to deploying", "on_node_update to ready"),
            ("on_node_update to ready", "on_node_collection_delete"),
            ("on_node_collection_delete", "on_remove_node_from_cluster"),
            ("on_remove_node_from_cluster", "on_node_delete"),
            ("on_node_delete", "on_cluster_delete"),
        ] {
            let place = |hook: &str| hooks.iter().position(|known| *known == hook);
            assert!(place(earlier).is_some() && place(earlier) < place(later), "{earlier} before {later} in {hooks:?}");
        }
    });
}

#[test]
fn work_that_a_hook_refuses_to_begin_fails_and_changes_nothing() {
    on_both_databases(HASTY, async |server| {
        for (number, (how, _, detail)) in FAULTS.into_iter().chain([("veto", 409, "says no")]).enumerate() {
            let cluster = server.create_cluster(how).await["id"].clone();
            let node = node_named(&server, number, &format!("on_node_update to provisioning: {how}")).await;
            assign(&server, &cluster, std::slice::from_ref(&node), &["a"]).await;
            let nodes = server.get("/nodes").await.expect(200);
            let clusters = server.get("/clusters").await.expect(200);
            let task = work_on(&server, &cluster, "provision").await;
            assert_eq!((&task["status"], &task["extension"]), (&json!("error"), &json!("faulty")), "{how}: {task}");
            assert!(contains(&task["message"], detail), "{how}: {task}");
            assert_eq!(server.get("/nodes").await.expect(200), nodes, "{how}");
            assert_eq!(server.get("/clusters").await.expect(200), clusters, "{how}");
        }
        assert!(!server.state_dir().join("outbox").exists(), "something was sent");
    });
}

#[test]
fn what_has_happened_cannot_be_refused() {
    on_both_databases(HASTY, async |server| {
        for (number, (how, _, detail)) in FAULTS.into_iter().chain([("veto", 409, "says no")]).enumerate() {
            let cluster = server.create_cluster(how).await["id"].clone();
            let node = node_named(&server, number, &format!("on_node_update to provisioned: {how}")).await;
            assign(&server, &cluster, std::slice::from_ref(&node), &["a"]).await;
            assert_eq!(work_on(&server, &cluster, "provision").await["status"], "ready", "{how}");
            assert_eq!(server.get(&format!("/nodes/{node}")).await.expect(200)["status"], "provisioned", "{how}");
            let told = server.get("/notifications").await.expect(200);
            let of_faulty = list(&told).iter().rfind(|told| told["extension"] == "faulty").expect("a notification");
            assert!(contains(&of_faulty["message"], detail), "{how}: {of_faulty}");
            assert_eq!((&of_faulty["node"], &of_faulty["cluster"]), (&node, &cluster), "{how}");
        }
    });
}

#[test]
fn nothing_of_a_refused_change_stays_with_an_earlier_extension() {
    on_both_databases(HASTY, async |server| {
        let node = node_named(&server, 1, "n").await;
        let next = node.as_i64().expect("an id") + 1;
        server.post("/nodes", json!({"mac": mac(2), "name": "on_node_create: late panic"})).await.expect(500);
        assert_eq!(server.get(&format!("/additional_logger/{next}")).await.expect(200), json!([]));
        assert_eq!(each(&server.get(&format!("/additional_logger/{node}")).await.expect(200), "event"), ["created"]);
    });
}

/// A request that reaches a hook, prepared: what has to be there before is there.
struct Attempt {
    method: Method,
    path: String,
    body: Value,
    ok: u16,
}

async fn refuse_everywhere(server: &TestServer, (how, status, detail): (&str, u16, &str)) {
    for (number, hook) in HOOKS.into_iter().enumerate() {
        let problem = refused(server, hook, how, number).await.expect(status);
        assert_eq!(problem["extension"], "faulty", "{hook}");
        assert!(contains(&problem["detail"], detail) && contains(&problem["detail"], hook), "{hook}: {problem}");
        assert!(!problem.to_string().contains("secret"), "{problem}");
        assert!(problem["request_id"].is_string(), "{problem}");
    }
    server.discover(&mac(1000)).await;
    assert_eq!(server.get("/extensions/faulty").await.expect(200)["status"], "running");
}

/// Makes the faulty extension do something in a hook; the answer. Nothing may have been written.
async fn refused(server: &TestServer, hook: &str, how: &str, number: usize) -> rivetgun::testkit::Answer {
    let Attempt { method, path, body, .. } = arrange(server, hook, how, number).await;
    let before = everything(server).await;
    let answer = send(server, method, &path, &body).await;
    assert_eq!(everything(server).await, before, "{hook}: {how}");
    answer
}

async fn arrange(server: &TestServer, hook: &str, how: &str, number: usize) -> Attempt {
    let name = format!("{hook}: {how}");
    let attempt = |method, path: String, body, ok| Attempt { method, path, body, ok };
    if hook == "on_node_create" {
        return attempt(Method::POST, "/nodes".to_owned(), json!({"mac": mac(number), "name": name}), 201);
    }
    if hook == "on_cluster_create" {
        return attempt(Method::POST, "/clusters".to_owned(), json!({"name": name}), 201);
    }
    if let "on_nodegroup_create" | "on_nodegroup_delete" = hook {
        let cluster = server.create_cluster(&format!("{how} {number}")).await["id"].clone();
        let group = json!({"cluster_id": cluster, "name": name});
        if hook == "on_nodegroup_create" {
            return attempt(Method::POST, "/nodegroups".to_owned(), group, 201);
        }
        let group = server.post("/nodegroups", group).await.expect(201)["id"].clone();
        return attempt(Method::DELETE, format!("/nodegroups/{group}"), Value::Null, 204);
    }
    if hook == "on_node_update" {
        let node = node_named(server, number, "n").await;
        return attempt(Method::PUT, format!("/nodes/{node}"), json!({"name": name}), 200);
    }
    if hook == "on_cluster_update" {
        let cluster = server.create_cluster(&format!("{how} {number}")).await["id"].clone();
        return attempt(Method::PUT, format!("/clusters/{cluster}"), json!({"name": name}), 200);
    }
    let of_node = hook.contains("node");
    let node = node_named(server, number, if of_node { &name } else { "n" }).await;
    let name_of_cluster = if of_node { format!("of {name}") } else { name };
    let cluster = server.create_cluster(&name_of_cluster).await["id"].clone();
    let path = format!("/clusters/{cluster}");
    let membership = json!([{"id": node}]);
    match hook {
        "on_node_delete" | "on_node_collection_delete" => {
            attempt(Method::DELETE, format!("/nodes/{node}"), Value::Null, 200)
        }
        "on_node_assign" => attempt(Method::POST, format!("{path}/assignment"), membership, 200),
        "on_remove_node_from_cluster" => {
            assign(server, &cluster, &[node], &[]).await;
            attempt(Method::POST, format!("{path}/unassignment"), membership, 200)
        }
        "on_cluster_delete" => attempt(Method::DELETE, path, Value::Null, 202),
        "on_cluster_patch_attributes" => attempt(Method::PUT, format!("{path}/attributes"), json!({"a": 1}), 200),
        "on_extension_enable" => attempt(Method::PUT, format!("{path}/extensions"), json!(["faulty"]), 200),
        "on_extension_disable" => {
            enable(server, &cluster, &["faulty"]).await;
            attempt(Method::DELETE, format!("{path}/extensions?extension_names=faulty"), Value::Null, 204)
        }
        _ => {
            enable(server, &cluster, &["faulty"]).await;
            assign(server, &cluster, &[node], &["a"]).await;
            if hook == "on_before_deployment_serialization" {
                work_on(server, &cluster, "provision").await;
                return attempt(Method::PUT, format!("{path}/deploy"), Value::Null, 202);
            }
            attempt(Method::PUT, format!("{path}/provision"), Value::Null, 202)
        }
    }
}

/// The calls that notifications tell of: each hook with the extensions that were called, three at a time.
fn each_of_three(told: &[Value]) -> Vec<(String, Vec<&str>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let calls = told.chunks(3).map(|calls| {
        let hook = text(&calls[0]["message"]);
        assert!(calls.iter().all(|call| call["message"] == hook), "{calls:?}");
        (hook, calls.iter().map(|call| call["extension"].as_str().unwrap_or_default()).collect())
    });
    calls.collect()
}

#[test]
fn a_hook_that_goes_on_after_a_failed_statement_wedges_nothing() {
    on_both_databases("", async |server| {
        // PostgreSQL takes no more statements then, so that the hook has failed; SQLite does, and it has not.
        let refuses = server.database() == "postgres";
        let body = json!({"mac": mac(1), "name": "on_node_create: swallowed statement"});
        let answer = server.post("/nodes", body).await;
        let problem = answer.expect(if refuses { 500 } else { 201 });
        if refuses {
            assert_eq!(problem["extension"], "faulty");
        }
        let cluster = server.create_cluster("on_cluster_delete: swallowed statement").await["id"].clone();
        server.delete(&format!("/clusters/{cluster}?force=true")).await.expect(202);
        server.get(&format!("/clusters/{cluster}")).await.expect(404);
    });
}
