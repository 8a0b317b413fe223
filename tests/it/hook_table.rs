//! Which hooks are called on which path: every route and command that changes nodes, groups or clusters, against a golden
//! table (`snapshots/`; `INSTA_UPDATE=always cargo test --test it hook_table` writes it anew).

use crate::{
    common::{list, mac, send},
    document::Document,
    process::database_of,
};
use axum::http::Method;
use rivetgun::testkit::{TestServer, command_line, on_both_databases};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write, fs, process::ExitCode};

/// The table as it is written.
struct Walk<'s> {
    server: &'s TestServer,
    table: String,
    walked: BTreeSet<String>,
}

impl Walk<'_> {
    /// Sends a request that succeeds, waits for the end of its task where it has one, and adds what was called.
    ///
    /// `{…}` in the route stand for the parts of the path that are given, in their order.
    async fn step(&mut self, method: &str, route: &str, parts: &[&Value], body: Value) -> Value {
        let answer = self.ask(method, route, parts, &body).await;
        if answer["time_start"].is_string() {
            self.server.ended(&answer).await;
        }
        let body = if body.is_null() { String::new() } else { format!(" {body}") };
        self.note(&format!("{method} {route}{body}")).await;
        answer
    }

    /// Sends a request whose task goes on for ever, and waits until it runs; what is called belongs to the next step.
    async fn begin(&mut self, method: &str, route: &str, parts: &[&Value]) {
        let task = self.ask(method, route, parts, &Value::Null).await;
        self.server.wait_for(&format!("/tasks/{}", task["id"]), |task| task["status"] == "running").await;
        writeln!(self.table, "{method} {route}").expect("a text");
    }

    async fn ask(&mut self, method: &str, route: &str, parts: &[&Value], body: &Value) -> Value {
        let (template, query) = route.split_once('?').map_or((route, ""), |(path, query)| (path, query));
        self.walked.insert(format!("{method} {template}"));
        let mut parts = parts.iter();
        let segments = template.split('/').map(|segment| match segment.starts_with('{') {
            true => parts.next().expect("a part for each").to_string().replace('"', ""),
            false => segment.to_owned(),
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let path = if query.is_empty() { path } else { format!("{path}?{query}") };
        let answer = send(self.server, method.parse::<Method>().expect("a method"), &path, body).await;
        assert!((200..300).contains(&answer.status()), "{method} {path}: {}", answer.text());
        if answer.text().is_empty() { Value::Null } else { answer.json() }
    }

    async fn note(&mut self, path: &str) {
        writeln!(self.table, "{path}").expect("a text");
        let calls = self.server.get("/ledger/rows").await.expect(200);
        if list(&calls).is_empty() {
            writeln!(self.table, "    –").expect("a text");
        }
        for call in list(&calls) {
            let [hook, subject] = [&call[0], &call[1]].map(|text| text.as_str().expect("a text"));
            writeln!(self.table, "    {hook}({subject})").expect("a text");
        }
        self.server.delete("/ledger/rows").await.expect(204);
    }

    fn title(&mut self, title: &str) {
        writeln!(self.table, "\n# {title}").expect("a text");
    }
}

#[test]
fn every_path_calls_the_hooks_of_the_golden_table() {
    on_both_databases(
        "[orchestrators.local]\ndeploy = 'if grep -q endless; then exec sleep 1000; fi'",
        async |server| {
            let mut walk = Walk { server: &server, table: String::new(), walked: BTreeSet::new() };
            walk_all(&mut walk).await;
            let Walk { table, walked, .. } = walk;
            insta::assert_snapshot!("every_path", table);
            crate::events::the_log_tells_all(&server).await;
            for operation in Document::of(&server).await.operations() {
                let Some(path) = operation.path.strip_prefix("/api/v1") else { continue };
                let route = format!("{} {path}", operation.method.to_uppercase());
                let changes = operation.method != "get" && !operation.is_of_extension();
                assert!(!changes || walked.contains(&route), "{route} is not in the table");
            }
        },
    );
}

async fn walk_all(walk: &mut Walk<'_>) {
    walk.title("Nodes");
    let n1 = walk.step("POST", "/nodes", &[], json!({"mac": mac(1), "name": "n1"})).await["id"].clone();
    let n2 = walk.step("POST", "/nodes", &[], json!({"mac": mac(2), "name": "n2"})).await["id"].clone();
    let report = json!({"mac": mac(1), "agent_checksum": "1", "meta": {"disks": [{"name": "sda"}]}});
    walk.step("PUT", "/nodes/agent", &[], report.clone()).await;
    walk.title("… a heartbeat");
    walk.step("PUT", "/nodes/agent", &[], report).await;
    walk.title("… one node, several nodes, and a change that changes nothing");
    walk.step("PUT", "/nodes/{id}", &[&n1], json!({"labels": {"rack": "7"}, "hostname": "ada"})).await;
    walk.step("PUT", "/nodes", &[], json!([{"id": n1, "name": "n1"}, {"id": n2, "attributes": {"a": 1}}])).await;

    walk.title("Clusters, with what their release enables");
    let wanted = json!({"name": "r", "version": "1", "roles": ["a", "b"], "extensions": ["ledger"]});
    let release = walk.step("POST", "/releases", &[], wanted).await["id"].clone();
    walk.step("PUT", "/releases/{id}", &[&release], json!({"description": "for a table"})).await;
    let c1 = walk.step("POST", "/clusters", &[], json!({"name": "c1", "release": release})).await["id"].clone();
    walk.title("… with nodes");
    let wanted = json!({"name": "c2", "release": release, "nodes": [n1]});
    let c2 = walk.step("POST", "/clusters", &[], wanted).await["id"].clone();
    walk.title("… changed, and their nodes replaced");
    walk.step("PUT", "/clusters/{id}", &[&c1], json!({"name": "c1"})).await;
    walk.step("PUT", "/clusters/{id}", &[&c1], json!({"name": "c3"})).await;
    walk.step("PUT", "/clusters/{id}", &[&c2], json!({"nodes": [n2]})).await;
    walk.step("PUT", "/clusters/{id}/attributes", &[&c1], json!({"a": 1})).await;
    walk.step("PATCH", "/clusters/{id}/attributes", &[&c1], json!({"a": null, "b": 2})).await;
    walk.step("PATCH", "/clusters/{id}/attributes", &[&c1], json!({"b": 2})).await;

    walk.title("Extensions of a cluster");
    walk.step("DELETE", "/clusters/{id}/extensions?extension_names=ledger", &[&c1], Value::Null).await;
    walk.step("PUT", "/clusters/{id}/extensions", &[&c1], json!(["ledger", "probe"])).await;
    walk.step("PUT", "/clusters/{id}/extensions", &[&c1], json!(["probe"])).await;

    walk.title("Groups");
    let group = walk.step("POST", "/nodegroups", &[], json!({"cluster_id": c2, "name": "rack"})).await["id"].clone();
    walk.step("PUT", "/nodegroups/{id}", &[&group], json!({"name": "rack 7"})).await;
    walk.step("PUT", "/nodes/{id}", &[&n2], json!({"group_id": group})).await;
    walk.step("DELETE", "/nodegroups/{id}", &[&group], Value::Null).await;

    walk.title("Membership");
    walk.step("POST", "/clusters/{id}/assignment", &[&c1], json!([{"id": n1, "roles": ["a"]}])).await;
    walk.step("POST", "/clusters/{id}/assignment", &[&c1], json!([{"id": n1, "roles": ["b"]}])).await;
    walk.step("POST", "/clusters/{id}/unassignment", &[&c2], json!([{"id": n2}])).await;
    walk.step("POST", "/clusters/{id}/assignment", &[&c1], json!([])).await;

    walk.title("Data, read and replaced");
    let defaults = "/clusters/{id}/orchestrator/{kind}/defaults";
    walk.step("GET", defaults, &[&c1, &json!("deployment")], Value::Null).await;
    let replaced = "/clusters/{id}/orchestrator/{kind}";
    walk.step("PUT", replaced, &[&c1, &json!("deployment")], json!({"common": {"a": 1}})).await;
    walk.step("DELETE", replaced, &[&c1, &json!("deployment")], Value::Null).await;

    walk.title("Work, with the reports of the orchestrator");
    walk.step("PUT", "/clusters/{id}/provision", &[&c1], Value::Null).await;
    let task = walk.step("PUT", "/clusters/{id}/deploy?dry_run=true", &[&c1], Value::Null).await["id"].clone();
    walk.step("PUT", "/clusters/{id}/deploy", &[&c1], Value::Null).await;
    walk.step("DELETE", "/tasks/{id}", &[&task], Value::Null).await;
    walk.step("PUT", "/notifications/{id}", &[&json!(1)], json!({"status": "read"})).await;

    walk.title("A deployed node leaves its cluster with the next deployment");
    walk.step("POST", "/clusters/{id}/unassignment", &[&c1], json!([{"id": n1}])).await;

    walk.title("All that is pending: removal, provisioning and deployment");
    walk.step("POST", "/clusters/{id}/assignment", &[&c1], json!([{"id": n2, "roles": ["b"]}])).await;
    walk.step("PUT", "/clusters/{id}/changes", &[&c1], Value::Null).await;

    walk.title("A deployment that is stopped, and a reset");
    walk.step("PATCH", "/clusters/{id}/attributes", &[&c1], json!({"endless": true})).await;
    walk.begin("PUT", &format!("/clusters/{{id}}/deploy?nodes={n2}"), &[&c1]).await;
    walk.step("PUT", "/clusters/{id}/stop", &[&c1], Value::Null).await;
    walk.step("PUT", "/clusters/{id}/reset", &[&c1], Value::Null).await;
    walk.step("PUT", "/clusters/{id}/provision", &[&c1], Value::Null).await;

    walk.title("Events of callers, and what could not be delivered");
    let event = json!({"type": "builds", "action": "done", "key": "7", "object": {}});
    walk.step("POST", "/events", &[], event).await;
    walk.step("POST", "/extensions/{name}/dead_letters/replay", &[&json!("listener")], json!({})).await;
    walk.step("DELETE", "/extensions/{name}/dead_letters", &[&json!("listener")], Value::Null).await;

    walk.title("Deletion of one node, of several, of none");
    let n3 = walk.step("POST", "/nodes", &[], json!({"mac": mac(3), "name": "n3"})).await["id"].clone();
    let n4 = walk.step("POST", "/nodes", &[], json!({"mac": mac(4), "name": "n4"})).await["id"].clone();
    let n5 = walk.step("POST", "/nodes", &[], json!({"mac": mac(5), "name": "n5"})).await["id"].clone();
    walk.step("DELETE", "/nodes/{id}", &[&n3], Value::Null).await;
    walk.step("DELETE", &format!("/nodes?ids={n4},{n5}"), &[], Value::Null).await;
    walk.title("… of one that the orchestrator has to remove");
    let n6 = walk.step("POST", "/nodes", &[], json!({"mac": mac(6), "name": "n6"})).await["id"].clone();
    walk.step("POST", "/clusters/{id}/assignment", &[&c2], json!([{"id": n6, "roles": ["a"]}])).await;
    walk.step("PUT", "/clusters/{id}/provision", &[&c2], Value::Null).await;
    walk.step("DELETE", "/nodes/{id}", &[&n6], Value::Null).await;

    walk.title("Deletion of clusters: with a deployed node, and without nodes");
    walk.step("DELETE", "/clusters/{id}", &[&c1], Value::Null).await;
    walk.step("DELETE", "/clusters/{id}?force=true", &[&c2], Value::Null).await;
}

#[test]
fn an_import_calls_the_hooks_of_the_golden_table() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for (name, roles) in [("a.yaml", "[controller]"), ("b.yaml", "[compute]")] {
        let fqdn = name.replace("yaml", "example.org");
        fs::write(path(name), format!("uid: '1'\nfqdn: {fqdn}\nroles: {roles}\n")).expect("it can be written");
    }
    let state_dir = path("state");
    let command = |arguments: &[&str]| {
        let all = [&["rivetgun", "--state-dir", &state_dir][..], arguments].concat();
        assert_eq!(format!("{:?}", command_line(&all)), format!("{:?}", ExitCode::SUCCESS));
    };
    command(&["import", "--cluster", "imported", &path("a.yaml"), &path("b.yaml")]);
    command(&["migrate", "up"]);
    command(&["explain", "imported"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let server = TestServer::start(Some(database_of(dir.path())), "").await;
        let mut walk = Walk { server: &server, table: String::new(), walked: BTreeSet::new() };
        walk.note("rivetgun import; migrate up; explain").await;
        insta::assert_snapshot!("import", walk.table);
        let made = server.get("/events?filter=clusters.create.*").await.expect(200);
        assert_eq!(made[0]["principal"], "cli");
    });
}
