//! Reports as they are posted: which are let in, and what they are answered.

use crate::common::{OTHER_SECRET, SECRET, ask, cluster_with_nodes, log_of, of_nodes, text, with_receiver};
use axum::{body::Body, http::Request};
use rivetgun::{
    prelude::sea_orm::{ConnectOptions, ConnectionTrait, Database},
    testkit::{Answer, TestServer},
};
use serde_json::{Value, json};
use std::time::SystemTime;
use webhook_receiver::{Headers, Receiver, Secret, plays};

#[test]
fn what_is_not_signed_just_now_and_with_the_secret_is_refused_before_it_is_read() {
    with_receiver("tolerance = 60", async |server, receiver| {
        let (task, _) = running(server, receiver, 1).await;
        let (body, now) = (&*json!({"task": task["uuid"], "status": "done"}).to_string(), now());
        let sign = |secret, timestamp, body| signed(secret, "report_1", timestamp, body);
        let good = sign(SECRET, now, body);
        let without = |missing: &str| good.iter().filter(|(name, _)| *name != missing).cloned().collect::<Vec<_>>();
        for (headers, body) in [
            (Vec::new(), body),
            (without("webhook-id"), body),
            (without("webhook-timestamp"), body),
            (without("webhook-signature"), body),
            (sign(OTHER_SECRET, now, body).to_vec(), body),
            (sign(SECRET, now, "{}").to_vec(), body),
            (sign(SECRET, now - 120, body).to_vec(), body),
            (sign(SECRET, now + 120, body).to_vec(), body),
            (sign(SECRET, 0, body).to_vec(), body),
            (signed(SECRET, "a.b", now, body).to_vec(), body),
            (Vec::new(), "{"),
        ] {
            post(server, &path_of(&task), &headers, body).await.expect(401);
        }
        post(server, &path_of(&task), &[("authorization", "Bearer root".to_owned())], body).await.expect(401);
        post(server, "/api/v1/tasks/00000000-0000-0000-0000-000000000000/report", &[], body).await.expect(401);
        assert_eq!(of_nodes(server, "status").await, ["provisioning"]);
        post(server, &path_of(&task), &good, body).await.expect(204);
        assert_eq!(server.ended(&task).await["status"], "ready");
    });
}

#[test]
fn a_replay_is_refused_and_what_is_honestly_sent_again_is_applied_once() {
    with_receiver("", async |server, receiver| {
        let (task, nodes) = running(server, receiver, 1).await;
        let half = json!([{"id": nodes[0], "status": "running", "progress": 40, "message": "half"}]);
        let body = json!({"task": task["uuid"], "nodes": half}).to_string();
        let (path, now) = (path_of(&task), now());
        let first = signed(SECRET, "report_1", now, &body);
        post(server, &path, &first, &body).await.expect(204);
        for _ in 0..2 {
            let problem = post(server, &path, &first, &body).await.expect(401);
            assert!(text(&problem["detail"]).contains("taken already"), "{problem}");
        }
        let mut stripped = first.clone();
        stripped[2].1 = format!("{} v1,AAAA", stripped[2].1);
        post(server, &path, &stripped, &body).await.expect(401);
        post(server, &path, &signed(SECRET, "report_1", now - 1, &body), &body).await.expect(204);
        let progress = of_nodes(server, "progress").await;
        let told = log_of(server, &task).await.iter().filter(|line| *line == "half").count();
        assert_eq!((progress, told), (vec![json!(40)], 1));
        let other = json!({"task": task["uuid"], "nodes": [{"id": nodes[0], "progress": 20}]}).to_string();
        post(server, &path, &signed(SECRET, "report_2", now, &other), &other).await.expect(204);
        assert_eq!(of_nodes(server, "progress").await, [40], "progress never goes back");
    });
}

#[test]
fn a_report_that_could_not_be_applied_can_be_sent_again_as_it_is() {
    with_receiver("[limits]\nurl_timeout_ms = 300", async |server, receiver| {
        let (task, _) = running(server, receiver, 1).await;
        let body = &*json!({"task": task["uuid"], "status": "done"}).to_string();
        let headers = signed(SECRET, "report_1", now(), body);
        let nobody = "/api/v1/tasks/00000000-0000-0000-0000-000000000000/report";
        post(server, nobody, &headers, body).await.expect(400);
        if server.database() == "sqlite" {
            let url = format!("sqlite://{}", server.state_dir().join("rivetgun.sqlite").display());
            let mut options = ConnectOptions::new(url);
            let somebody = Database::connect(options.max_connections(1).to_owned()).await.expect("it opens");
            somebody.execute_unprepared("BEGIN IMMEDIATE").await.expect("it begins");
            post(server, &path_of(&task), &headers, body).await.expect(504);
            somebody.execute_unprepared("ROLLBACK").await.expect("it ends");
        }
        post(server, &path_of(&task), &headers, body).await.expect(204);
        assert_eq!(server.ended(&task).await["status"], "ready");
        post(server, &path_of(&task), &headers, body).await.expect(401);
    });
}

#[test]
fn a_report_that_comes_too_late_is_taken_and_changes_nothing() {
    with_receiver("", async |server, receiver| {
        let (task, nodes) = running(server, receiver, 1).await;
        report(server, &task, &json!({"status": "done"})).await.expect(204);
        let ended = server.ended(&task).await;
        for late in [json!({"status": "failed"}), json!({"nodes": [{"id": nodes[0], "status": "failed"}]}), json!({})] {
            report(server, &task, &late).await.expect(204);
        }
        assert_eq!(server.get(&format!("/tasks/{}", task["id"])).await.expect(200), ended);
        assert_eq!(of_nodes(server, "status").await, ["provisioned"]);
    });
}

#[test]
fn everything_that_a_report_can_say_is_heard() {
    with_receiver("", async |server, receiver| {
        let (task, nodes) = running(server, receiver, 4).await;
        let said = json!({"task": task["uuid"], "progress": 55, "message": "begun", "nodes": [
            {"id": nodes[0], "status": "running", "progress": 10, "message": "partitioned"},
            {"id": nodes[1], "status": "done"},
            {"id": nodes[2], "status": "failed", "message": "no disk", "online": false},
            {"id": nodes[3], "online": false},
            {"id": 999_999, "status": "done"},
        ]});
        report(server, &task, &said).await.expect(204);
        assert_eq!(of_nodes(server, "status").await, ["provisioning", "provisioned", "error", "provisioning"]);
        assert_eq!(of_nodes(server, "online").await, [true, true, false, false]);
        assert_eq!(of_nodes(server, "error_msg").await[2], "no disk");
        let now = server.get(&format!("/tasks/{}", task["id"])).await.expect(200);
        assert_eq!((&now["status"], &now["progress"]), (&json!("running"), &json!(55)));
        let log = log_of(server, &task).await;
        assert!(log.contains(&"partitioned".to_owned()) && log.contains(&"begun".to_owned()), "{log:?}");
        report(server, &task, &json!({"status": "failed"})).await.expect(204);
        let ended = server.ended(&task).await;
        assert_eq!(ended["status"], "error");
        assert!(text(&ended["message"]).contains("did not say why"), "{ended}");
    });
}

#[test]
fn a_stop_can_tell_that_nodes_were_wiped() {
    with_receiver("", async |server, receiver| {
        let (task, nodes) = running(server, receiver, 2).await;
        let cluster = &task["cluster"];
        let stop = ask(server, cluster, "stop").await;
        receiver.received_many(2).await;
        let said = json!({"nodes": [{"id": nodes[0], "status": "erased"}, {"id": nodes[1], "status": "failed", "message": "stuck"}]});
        report(server, &stop, &said).await.expect(204);
        assert_eq!(server.ended(&stop).await["status"], "error");
        assert_eq!(of_nodes(server, "status").await, ["discover", "error"]);
    });
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    with_receiver("", async |server, receiver| {
        let (task, _) = running(server, receiver, 1).await;
        let uuid = text(&task["uuid"]);
        for (body, pointer) in [
            ("", ""),
            ("{", ""),
            ("[]", ""),
            ("\"done\"", ""),
            ("\u{0}", ""),
            (r#"{"status": "perhaps"}"#, "/status"),
            (r#"{"status": "erased"}"#, "/status"),
            (r#"{"progress": 101}"#, "/progress"),
            (r#"{"progress": -1}"#, "/progress"),
            (r#"{"nonsense": 1}"#, "/nonsense"),
            (r#"{"nodes": {}}"#, "/nodes"),
            (r#"{"nodes": [{"id": 1}, {}]}"#, "/nodes/1"),
            (r#"{"nodes": [{"id": "x"}]}"#, "/nodes/0/id"),
            (r#"{"nodes": [{"id": 1, "nonsense": 1}]}"#, "/nodes/0/nonsense"),
            (r#"{"message": "\u0000"}"#, ""),
            (r#"{"task": "00000000-0000-0000-0000-000000000000"}"#, ""),
        ] {
            // Objects name the task, as far as that is not what is wrong with them.
            let body = &*if body.starts_with("{\"") && !body.contains("task") {
                body.replacen('{', &format!(r#"{{"task": "{uuid}", "#), 1)
            } else {
                body.to_owned()
            };
            let headers = signed(SECRET, "report", now(), body);
            let problem = post(server, &path_of(&task), &headers, body).await.expect(400);
            let found = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert_eq!(found, pointer, "{body}: {problem}");
        }
        let headers = signed(SECRET, "report", now(), "{}");
        let request =
            headers.iter().fold(Request::post(path_of(&task)), |request, (name, value)| request.header(*name, value));
        let as_text = request.header("content-type", "text/plain").body(Body::from("{}")).expect("a request");
        server.send(as_text).await.expect(415);
    });
}

#[test]
fn a_report_that_does_not_name_its_task_is_refused_and_so_is_one_on_the_path_of_another() {
    with_receiver("", async |server, receiver| {
        let (task, _) = running(server, receiver, 1).await;
        let (other, now) = ("00000000-0000-0000-0000-000000000000", now());
        let (nameless, others) = (json!({"status": "done"}), json!({"task": other, "status": "done"}));
        for (said, place, detail) in [(nameless, "", "missing field `task`"), (others, "", "not the task of the path")]
        {
            let body = said.to_string();
            let headers = signed(SECRET, "report", now, &body);
            let problem = post(server, &path_of(&task), &headers, &body).await.expect(400);
            assert_eq!(problem["errors"][0]["pointer"].as_str().unwrap_or_default(), place, "{problem}");
            assert!(problem.to_string().contains(detail), "{problem}");
        }
        assert_eq!(of_nodes(server, "status").await, ["provisioning"]);
    });
}

#[test]
fn a_body_that_is_too_large_is_refused_and_so_are_tasks_that_are_not_the_webhook_s() {
    let limits = "[limits]\nbody_bytes = 2000";
    with_receiver(limits, async |server, receiver| {
        let (task, _) = running(server, receiver, 1).await;
        let body = json!({"message": "x".repeat(3000)}).to_string();
        let headers = signed(SECRET, "report", now(), &body);
        post(server, &path_of(&task), &headers, &body).await.expect(413);

        let nobody = json!({"uuid": "00000000-0000-0000-0000-000000000000"});
        report(server, &nobody, &json!({"status": "done"})).await.expect(404);
        let other = server.post("/clusters", json!({"name": "other"})).await.expect(201)["id"].clone();
        let node = server.discover("02:00:00:00:09:09").await["id"].clone();
        server.post(&format!("/clusters/{other}/assignment"), json!([{"id": node, "roles": []}])).await.expect(200);
        let of_local = server.ended(&ask(server, &other, "provision").await).await;
        let said = json!({"status": "failed", "message": "not mine", "nodes": [{"id": node, "message": "nor this"}]});
        report(server, &of_local, &said).await.expect(404);
        assert!(!log_of(server, &of_local).await.iter().any(|line| line.contains("nor this")));
    });
}

#[test]
fn reports_signed_with_a_previous_secret_are_taken_while_it_is_listed() {
    with_receiver(&format!("previous_secrets = [{OTHER_SECRET:?}]"), async |server, receiver| {
        let (task, _) = running(server, receiver, 1).await;
        let body = &*json!({"task": task["uuid"], "progress": 7}).to_string();
        post(server, &path_of(&task), &signed(OTHER_SECRET, "report_1", now(), body), body).await.expect(204);
        let both = [signed(OTHER_SECRET, "report_2", now(), body), signed(SECRET, "report_2", now(), body)];
        let mut headers = both[0].clone();
        headers[2].1 = format!("{} {}", both[0][2].1, both[1][2].1);
        post(server, &path_of(&task), &headers, body).await.expect(204);
        // The same message with one of its signatures is no other message.
        for one in both {
            post(server, &path_of(&task), &one, body).await.expect(401);
        }
    });
}

/// A task that the receiver has taken on, and says nothing of; and its nodes.
async fn running(server: &TestServer, receiver: &Receiver, count: usize) -> (Value, Vec<Value>) {
    receiver.plays(plays::nothing);
    let (cluster, nodes) = cluster_with_nodes(server, count).await;
    let task = ask(server, &cluster, "provision").await;
    receiver.received_many(1).await;
    (task, nodes)
}

/// Sends a report, with its task.
async fn report(server: &TestServer, task: &Value, report: &Value) -> Answer {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let id = format!("report_{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let mut body = report.clone();
    body["task"] = task["uuid"].clone();
    let body = body.to_string();
    post(server, &path_of(task), &signed(SECRET, &id, now(), &body), &body).await
}

async fn post(server: &TestServer, path: &str, headers: &[(&str, String)], body: &str) -> Answer {
    let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, value));
    let request = request.header("content-type", "application/json").body(Body::from(body.to_owned()));
    server.send(request.expect("a request")).await
}

fn path_of(task: &Value) -> String {
    format!("/api/v1/tasks/{}/report", text(&task["uuid"]))
}

fn signed(secret: &str, id: &str, timestamp: u64, body: &str) -> Headers {
    Secret::parse(secret).expect("a secret").sign(id, timestamp, body.as_bytes())
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}
