//! An orchestrator that does what the test tells it, and writes down what it is asked to do.

use crate::common::{assign, mac};
use axum::http::Method;
use rivetgun::{
    prelude::{
        sea_orm::{ConnectionTrait, DbErr, Statement},
        *,
    },
    testkit::TestServer,
};

/// What clusters call it.
const PUPPET: &str = "puppet";

#[derive(Debug, Default)]
struct Puppeteer;

/// The orchestrator `puppet`. A cluster whose name begins with `refused` it does not work on; for one that begins with `absent`
/// it takes nothing on but a stop, for ever.
#[derive(Debug)]
struct Puppet;

mod table {
    use rivetgun::migration::*;

    #[derive(DeriveMigrationName)]
    pub(super) struct CreateDispatches;

    #[async_trait::async_trait]
    impl MigrationTrait for CreateDispatches {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let id = ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().take();
            let dispatch = ColumnDef::new("dispatch").text().not_null().take();
            manager.create_table(Table::create().table("puppeteer_dispatches").col(id).col(dispatch).take()).await
        }

        async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            manager.drop_table(Table::drop().table("puppeteer_dispatches").take()).await
        }
    }
}

#[extension(name = "puppeteer", version = "1.0.0", description = "An orchestrator on strings")]
impl Extension for Puppeteer {
    fn urls(&self) -> Urls {
        urls! {
            r"/puppeteer/dispatches/?" => get(dispatches),
            r"/puppeteer/report/(?P<task>[0-9a-f-]+)/?" => post(report),
        }
    }

    fn migrations(&self) -> Migrations {
        Migrations::new().with(table::CreateDispatches)
    }

    fn orchestrators(&self) -> Orchestrators {
        Orchestrators::new().with(PUPPET, Puppet)
    }
}

#[async_trait]
impl Orchestrator for Puppet {
    async fn dispatch(&self, cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Receipt, Error> {
        if dispatch.cluster.name.starts_with("refused") {
            return Err(Error::unavailable("the strings are cut"));
        }
        if dispatch.cluster.name.starts_with("absent") && dispatch.work != Work::Stop {
            std::future::pending::<()>().await;
        }
        let nodes: Vec<i64> = dispatch.nodes.iter().map(|node| node.id).collect();
        let Dispatch { task, work, stops, .. } = dispatch;
        let text = json!({"task": task, "work": work, "nodes": nodes, "stops": stops}).to_string();
        let tx = cx.transaction().await?;
        let insert = "INSERT INTO puppeteer_dispatches (dispatch) VALUES ($1)";
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), insert, [text.into()])).await?;
        tx.commit().await?;
        Ok(Receipt::new("on strings"))
    }
}

async fn dispatches(cx: ExtensionContext) -> Result<Json<Vec<Value>>, Error> {
    let select = "SELECT dispatch FROM puppeteer_dispatches ORDER BY id";
    let rows = cx.db().query_all_raw(Statement::from_string(cx.db().get_database_backend(), select)).await?;
    let texts: Vec<String> = rows.iter().map(|row| row.try_get("", "dispatch")).collect::<Result<_, DbErr>>()?;
    Ok(Json(texts.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>()?))
}

/// A report as a test writes it: `{"7": 40, "8": "done", "9": "erased", "10": "why it failed", "rest": "done"}`.
async fn report(cx: ExtensionContext, Path(task): Path<Uuid>, Json(said): Json<Object>) -> Result<String, Error> {
    let mut report = Report::new();
    for (who, what) in said {
        let said = match &what {
            Value::String(word) if word == "done" => Said::Done,
            Value::String(word) if word == "erased" => Said::Erased,
            // No JSON with a NUL gets this far.
            Value::String(reason) => Said::Failed(reason.replace("(NUL)", "\0")),
            percent => Said::Progress(percent.as_u64().and_then(|percent| percent.try_into().ok()).unwrap_or(255)),
        };
        match who.parse() {
            Ok(node) => report = report.node(node, said),
            Err(_) => report.rest = Some(said),
        }
    }
    Ok(format!("{:?}", cx.report(task, report).await?))
}

/// A cluster that the puppet works on, with nodes that have the role `a` to come.
pub(crate) async fn cluster_of(server: &TestServer, name: &str, count: usize) -> (Value, Vec<Value>) {
    let cluster =
        server.post("/clusters", json!({"name": name, "orchestrator": PUPPET})).await.expect(201)["id"].clone();
    let known = server.get("/nodes/allocation/stats").await.expect(200)["total"].as_u64().expect("a number");
    let mut nodes = Vec::new();
    for number in 0..count {
        let number = usize::try_from(known).expect("few nodes") + 1 + number;
        nodes.push(server.discover(&mac(number)).await["id"].clone());
    }
    assign(server, &cluster, &nodes, &["a"]).await;
    (cluster, nodes)
}

/// Asks for work on a cluster; the task.
pub(crate) async fn ask(server: &TestServer, cluster: &Value, work: &str) -> Value {
    server.request(Method::PUT, &format!("/clusters/{cluster}/{work}"), None).await.expect(202)
}

/// Lets the puppet report; what became of it.
pub(crate) async fn says(server: &TestServer, task: &Value, said: Value) -> String {
    let uuid = task["uuid"].as_str().or(task.as_str()).expect("a uuid");
    let heard = server.post(&format!("/puppeteer/report/{uuid}"), said).await;
    assert_eq!(heard.status(), 200, "{}", heard.text());
    heard.text()
}

/// Waits until the puppet was asked for so many things; what the last of them was.
pub(crate) async fn asked(server: &TestServer, count: usize) -> Value {
    let all =
        server.wait_for("/puppeteer/dispatches", |all| all.as_array().is_some_and(|all| all.len() >= count)).await;
    all[count - 1].clone()
}
