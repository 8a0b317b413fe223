//! The routes of the API as tables, and what is there for them to name.

use crate::common::{cluster_with_nodes, contains, work_on};
use axum::http::Method;
use rivetgun::testkit::{Answer, TestServer};
use serde_json::{Value, json};

/// Every route with a body. `{cluster}` and the like stand for the id of one that is there.
pub(crate) const WITH_BODY: [(&str, &str); 17] = [
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
pub(crate) const READING: [&str; 20] = [
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

/// Every route that lists a page at a time.
pub(crate) const LISTS: [&str; 6] =
    ["/nodes", "/clusters", "/releases", "/tasks", "/tasks/{task}/log", "/notifications"];

/// What is there for paths to name.
pub(crate) struct There {
    pub(crate) cluster: Value,
    pub(crate) node: Value,
    task: Value,
    group: Value,
    release: Value,
    notification: Value,
}

impl There {
    /// A cluster with a node that is provisioned, and what came of that.
    pub(crate) async fn in_it(server: &TestServer) -> Self {
        Self::called(server, "there").await
    }

    /// The same, with another name for the cluster.
    pub(crate) async fn called(server: &TestServer, name: &str) -> Self {
        let (cluster, nodes) = cluster_with_nodes(server, name, 1).await;
        let group = server.post("/nodegroups", json!({"cluster_id": cluster, "name": "there"})).await.expect(201);
        let task = work_on(server, &cluster, "provision").await["id"].clone();
        let first = async |path: &str| server.get(path).await.expect(200)[0]["id"].clone();
        let (release, notification) = (first("/releases").await, first("/notifications").await);
        Self { cluster, node: nodes[0].clone(), group: group["id"].clone(), task, release, notification }
    }

    /// A path with the ids of what is there.
    pub(crate) fn path(&self, pattern: &str) -> String {
        let ids = [
            ("{cluster}", &self.cluster),
            ("{node}", &self.node),
            ("{group}", &self.group),
            ("{task}", &self.task),
            ("{release}", &self.release),
            ("{notification}", &self.notification),
        ];
        ids.into_iter().fold(pattern.to_owned(), |path, (name, id)| path.replace(name, &id.to_string()))
    }
}

/// The status of an answer, which must be the problem of a request.
#[track_caller]
pub(crate) fn refused(answer: &Answer) -> u16 {
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

/// A method by its name.
pub(crate) fn method_of(method: &str) -> Method {
    method.parse().expect("a method")
}
