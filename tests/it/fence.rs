//! The run-time fence: through its contexts an extension reaches its own tables, whatever its statements are made with.

use crate::common::{enable, everything, node_named};
use rivetgun::{
    prelude::{
        Json,
        sea_orm::{ConnectionTrait, Statement, entity::prelude::*},
        *,
    },
    testkit::on_both_databases,
};

#[derive(Debug, Default)]
struct Climber;

/// The statements that it tries come from outside: what the fence lets through is what the database says to them.
#[extension(name = "climber", version = "1.0.0", description = "Tries to get over the fence")]
impl Extension for Climber {
    fn urls(&self) -> Urls {
        urls! {
            r"/climber/read/?" => post(read),
            r"/climber/write/?" => post(write),
            r"/climber/orm/?" => get(through_the_orm),
        }
    }

    fn pipelines(&self) -> Pipelines {
        pipelines![Over]
    }

    async fn on_node_update(&self, cx: &HookContext<'_>, node: &Node, _change: &Change) -> Result<()> {
        if let Some(sql) = node.name.strip_prefix("sql: ") {
            cx.db().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

struct Over;

#[pipeline]
impl Pipeline for Over {
    async fn prepare(&self, cx: &PrepareContext, cluster: &Cluster, _nodes: &[Node]) -> Result<Prepared> {
        cx.db().query_all_raw(Statement::from_string(cx.db().get_database_backend(), cluster.name.clone())).await?;
        Ok(Prepared::nothing())
    }

    fn process_deployment(&self, _cx: &PipelineContext, _data: &mut ClusterData) -> Result<()> {
        Ok(())
    }
}

/// The table of nodes, as an extension would have it that knows the core too well.
#[expect(
    clippy::disallowed_methods,
    reason = "what `#[sea_orm::model]` generates can begin transactions; nobody calls it"
)]
mod stranger {
    use super::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "nodes")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

async fn read(cx: ExtensionContext, Json(sql): Json<String>) -> Json<String> {
    let statement = Statement::from_string(cx.db().get_database_backend(), sql.clone());
    let outcomes = [
        cx.db().query_all_raw(statement.clone()).await.map(drop),
        cx.db().query_one_raw(statement.clone()).await.map(drop),
        cx.db().execute_raw(statement).await.map(drop),
        cx.db().execute_unprepared(&sql).await.map(drop),
    ];
    Json(outcomes.map(|outcome| outcome.map_or_else(|error| error.to_string(), |()| "passed".to_owned())).join("\n"))
}

async fn write(cx: ExtensionContext, Json(sql): Json<String>) -> Result<Json<String>> {
    let tx = cx.transaction().await?;
    let outcome = tx.execute_unprepared(&sql).await.map_or_else(|error| error.to_string(), |_| "passed".to_owned());
    tx.commit().await?;
    Ok(Json(outcome))
}

async fn through_the_orm(cx: ExtensionContext) -> Json<String> {
    let found = stranger::Entity::find().all(cx.db()).await;
    Json(found.map_or_else(|error| error.to_string(), |_| "passed".to_owned()))
}

#[test]
fn a_statement_that_names_another_s_table_is_refused_and_both_are_named() {
    on_both_databases("", async |server| {
        let before = everything(&server).await;
        for (sql, owner) in [
            ("SELECT * FROM nodes", "the core"),
            ("SELECT 1 FROM probe_rows", "extension `probe`"),
            ("SELECT (SELECT count(*) FROM CLUSTERS)", "the core"),
            ("WITH x AS (SELECT * FROM core_migrations) SELECT * FROM x", "the core"),
            ("SELECT * FROM some_table_of_nobody", "not its own"),
            ("DELETE FROM climber_migrations", "the server's"),
            ("SELECT 1 /* climber_ */ FROM \"nodes\" -- climber", "the core"),
        ] {
            let told = server.post("/climber/read", json!(sql)).await.expect(200);
            for line in told.as_str().expect("a text").lines() {
                let told = line.contains("RG0301") && line.contains("`climber`") && line.contains(owner);
                assert!(told, "{sql}: {line}");
            }
        }
        for sql in
            ["DELETE FROM nodes", "INSERT INTO probe_rows (event, subject) VALUES ('a', 'b')", "DROP TABLE nodes"]
        {
            let told = server.post("/climber/write", json!(sql)).await.expect(200);
            assert!(told.as_str().is_some_and(|told| told.contains("RG0301")), "{sql}: {told}");
        }
        let told = server.get("/climber/orm").await.expect(200);
        assert!(told.as_str().is_some_and(|told| told.contains("RG0301") && told.contains("`nodes`")), "{told}");
        assert_eq!(everything(&server).await, before);
    });
}

#[test]
fn a_handle_to_read_with_does_not_write_and_nobody_ends_a_transaction_that_is_not_his() {
    on_both_databases("", async |server| {
        assert_eq!(server.post("/climber/read", json!("SELECT 1")).await.expect(200), "passed\npassed\npassed\npassed");
        let told = server.post("/climber/read", json!("DELETE FROM climber_rows")).await.expect(200);
        assert!(told.as_str().is_some_and(|told| told.contains("begins a transaction")), "{told}");
        for sql in ["COMMIT", "ROLLBACK", "SELECT 1; COMMIT"] {
            let told = server.post("/climber/write", json!(sql)).await.expect(200);
            assert!(told.as_str().is_some_and(|told| told.contains("RG0301")), "{sql}: {told}");
        }
    });
}

#[test]
fn hooks_and_preparations_are_fenced_in_as_well() {
    on_both_databases("", async |server| {
        let node = node_named(&server, 1, "n").await;
        let path = format!("/nodes/{node}");
        let problem = server.put(&path, json!({"name": "sql: DELETE FROM nodes"})).await.expect(500);
        assert_eq!(problem["extension"], "climber");
        assert!(!problem.to_string().contains("DELETE"), "the inside stays inside: {problem}");
        server.put(&path, json!({"name": "sql: SELECT 1"})).await.expect(200);

        for (sql, status) in [("SELECT 1", 200), ("SELECT * FROM clusters", 500), ("DELETE FROM climber_rows", 500)] {
            let cluster = server.create_cluster(sql).await["id"].clone();
            enable(&server, &cluster, &["climber"]).await;
            server.get(&format!("/clusters/{cluster}/orchestrator/deployment/defaults")).await.expect(status);
        }
    });
}
