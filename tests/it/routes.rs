//! The routes of the API, and what is there for them to name.

use crate::{
    common::{cluster_with_nodes, contains, work_on},
    document::Document,
};
use axum::http::Method;
use rivetgun::testkit::{Answer, TestServer};
use serde_json::{Value, json};

/// The routes of the API below `/api/v1`, with the ids of what is there.
pub(crate) struct Routes {
    /// Every route that takes a body: its method and its path.
    pub(crate) with_body: Vec<(String, String)>,
    /// Every route that reads, and answers twice the same.
    pub(crate) reading: Vec<String>,
    /// Every route that lists a page at a time.
    pub(crate) lists: Vec<String>,
}

impl Routes {
    /// The routes of the core, as the document of a server has them, and one of each kind of an extension.
    pub(crate) async fn of(server: &TestServer, there: &There) -> Self {
        let document = Document::of(server).await;
        let mut routes = Self {
            with_body: vec![("POST".to_owned(), "/probe/body".to_owned())],
            reading: vec!["/probe/rows".to_owned()],
            lists: Vec::new(),
        };
        for operation in document.operations().into_iter().filter(|operation| !operation.is_of_extension()) {
            let path = operation.path_in(there);
            let Some(path) = path.strip_prefix("/api/v1").map(str::to_owned) else { continue };
            if operation.has_body() {
                routes.with_body.push((operation.method.to_uppercase(), path.clone()));
            }
            // Nothing is there of what could not be delivered, and it is told apart by the numbers of events.
            if operation.is_list() && !path.ends_with("/dead_letters") {
                routes.lists.push(path.clone());
            }
            // It tells how long it took; it has no end; it is no answer.
            let differs = ["/explain", "/events/stream", "/ws"].into_iter().any(|end| path.ends_with(end));
            if operation.method == "get" && !differs {
                routes.reading.push(path);
            }
        }
        assert!(routes.with_body.len() > 15 && routes.reading.len() > 20 && routes.lists.len() > 6);
        routes
    }
}

/// What is there for paths to name.
pub(crate) struct There {
    pub(crate) cluster: Value,
    pub(crate) node: Value,
    task: Value,
    /// A deployment that was not sent.
    dry_run: Value,
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
        let disks = json!({"id": nodes[0], "meta": {"disks": [{"name": "sda", "size": 107_374_182_400_u64}]}});
        server.put("/nodes/agent", disks).await.expect(200);
        let group = server.post("/nodegroups", json!({"cluster_id": cluster, "name": "there"})).await.expect(201);
        let task = work_on(server, &cluster, "provision").await["id"].clone();
        let dry_run = server.request(Method::PUT, &format!("/clusters/{cluster}/deploy?dry_run=true"), None).await;
        let dry_run = server.ended(&dry_run.expect(202)).await["id"].clone();
        let first = async |path: &str| server.get(path).await.expect(200)[0]["id"].clone();
        let (release, notification) = (first("/releases").await, first("/notifications").await);
        Self { cluster, node: nodes[0].clone(), group: group["id"].clone(), task, dry_run, release, notification }
    }

    /// A path with the ids of what is there.
    pub(crate) fn path(&self, pattern: &str) -> String {
        let ids = [
            ("{cluster}", &self.cluster),
            ("{node}", &self.node),
            ("{group}", &self.group),
            ("{task}", &self.task),
            ("{dry_run}", &self.dry_run),
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
