//! The life of a cluster of four nodes, from discovery to deletion, on each orchestrator: what stands where after each step is
//! a golden table (`snapshots/`; `INSTA_UPDATE=always cargo test --test it life` writes it anew).

use crate::{
    common::{assign, each, list, mac},
    outside::{Amqp, Local, Outside, Webhook},
};
use axum::http::Method;
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::{Value, json};
use std::fmt::Write;

#[test]
fn a_life_on_local() {
    let outside = Local;
    on_both_databases(&outside.settings(), async |server| {
        insta::assert_snapshot!("local", live(&server, &outside).await);
    });
}

#[test]
fn a_life_on_amqp() {
    let Some(outside) = Amqp::start() else { return };
    on_both_databases(&outside.settings(), async |server| {
        insta::assert_snapshot!("amqp", live(&server, &outside).await);
    });
}

#[test]
fn a_life_on_webhook() {
    let outside = Webhook::start();
    on_both_databases(&outside.settings(), async |server| {
        insta::assert_snapshot!("webhook", live(&server, &outside).await);
    });
}

/// Lives a whole life, and writes down what stands where after each step.
async fn live(server: &TestServer, outside: &impl Outside) -> String {
    outside.reaches(&server.listen().await.to_string());
    let mut table = String::new();
    let roles = [["controller"], ["compute"], ["compute"], ["storage"]];
    let wanted = json!({"name": "c", "orchestrator": outside.name()});
    let cluster = server.post("/clusters", wanted).await.expect(201)["id"].clone();
    let mut nodes = Vec::new();
    for number in 1..=4 {
        nodes.push(server.discover(&mac(number)).await["id"].clone());
    }
    note(server, &mut table, "discover", None).await;
    for (node, roles) in nodes.iter().zip(roles) {
        assign(server, &cluster, std::slice::from_ref(node), &roles).await;
    }
    note(server, &mut table, "assign", None).await;
    let work = async |what: &str| {
        let task = server.request(Method::PUT, &format!("/clusters/{cluster}/{what}"), None).await.expect(202);
        server.ended(&task).await
    };
    let provisioned = work("provision").await;
    note(server, &mut table, "provision", Some(provisioned)).await;
    let deployed = work("deploy").await;
    note(server, &mut table, "deploy", Some(deployed)).await;

    assign(server, &cluster, &nodes[1..2], &["storage"]).await;
    note(server, &mut table, "change of roles", None).await;
    let redeployed = work("changes").await;
    note(server, &mut table, "redeploy", Some(redeployed)).await;

    outside.holds(true);
    let path = format!("/clusters/{cluster}/attributes");
    server.patch(&path, json!({"endless": true})).await.expect(200);
    let ids = nodes.iter().map(Value::to_string).collect::<Vec<_>>().join(",");
    let deploy = format!("/clusters/{cluster}/deploy?nodes={ids}");
    let held = server.request(Method::PUT, &deploy, None).await.expect(202);
    let is_under_way = |nodes: &Value| each(nodes, "status").iter().all(|status| **status == "deploying");
    server.wait_for("/nodes", is_under_way).await;
    note(server, &mut table, "deploy again, which does not end", None).await;
    let stopped = work("stop").await;
    note(server, &mut table, "stop", Some(stopped)).await;
    let held = server.ended(&held).await;
    writeln!(table, "the deployment: {}, {}", text(&held["status"]), text(&held["message"])).expect("a text");
    outside.holds(false);
    server.patch(&path, json!({"endless": null})).await.expect(200);

    // What the stop has wiped has to be provisioned before there is anything to reset.
    let again = work("changes").await;
    note(server, &mut table, "deploy what is left", Some(again)).await;
    let reset = work("reset").await;
    note(server, &mut table, "reset", Some(reset)).await;
    let provisioned = work("provision").await;
    note(server, &mut table, "provision again", Some(provisioned)).await;
    let deletion = server.delete(&format!("/nodes/{}", nodes[3])).await.expect(202);
    let deletion = server.ended(&deletion).await;
    note(server, &mut table, "delete a node", Some(deletion)).await;
    let deletion = server.delete(&format!("/clusters/{cluster}")).await.expect(202);
    let deletion = server.ended(&deletion).await;
    note(server, &mut table, "delete", Some(deletion)).await;
    table
}

async fn note(server: &TestServer, table: &mut String, step: &str, task: Option<Value>) {
    writeln!(table, "\n# {step}").expect("a text");
    if let Some(task) = task {
        let [name, status, message] = ["name", "status", "message"].map(|field| text(&task[field]));
        writeln!(table, "{name}: {status}, {}", message.replace('\n', "; ")).expect("a text");
    }
    for cluster in list(&server.get("/clusters").await.expect(200)) {
        writeln!(table, "cluster: {} {}", text(&cluster["status"]), cluster["changes"]).expect("a text");
    }
    for node in list(&server.get("/nodes").await.expect(200)) {
        let [roles, pending_roles, progress] = ["roles", "pending_roles", "progress"].map(|field| &node[field]);
        let marks = [("pending_addition", "to be added"), ("pending_deletion", "to be removed")];
        let marks: Vec<&str> =
            marks.into_iter().filter(|(field, _)| node[field] == true).map(|(_, mark)| mark).collect();
        let (id, status) = (&node["id"], text(&node["status"]));
        // How far work has come that does not end is a matter of moments.
        let progress = if ["deploying", "stopped"].contains(&status) { "…".to_owned() } else { progress.to_string() };
        writeln!(table, "node {id}: {status} {progress} {roles} + {pending_roles} {}", marks.join(", "))
            .expect("a text");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
