//! What the contract offers to those who write: parts that may fail, nodes that nobody else changes, changes of clusters.

use crate::{
    common::{cluster_with_nodes, each, list, mac},
    probe::{CreateRows, rows, write_row},
};
use rivetgun::{
    prelude::{
        sea_orm::{ConnectionTrait, Statement},
        *,
    },
    testkit::on_both_databases,
};

#[derive(Debug, Default)]
struct Carpenter;

/// Its statement that fails names no value for a column that needs one.
#[extension(name = "carpenter", version = "1.0.0", description = "Makes furniture for nodes")]
impl Extension for Carpenter {
    fn urls(&self) -> Urls {
        urls! {
            r"/carpenter/rows/?" => get(all),
            r"/carpenter/nodes/(?P<node_id>\d+)/?" => put(furnish),
            r"/carpenter/mistakes/?" => post(mistakes),
        }
    }

    fn migrations(&self) -> Migrations {
        Migrations::new().with(CreateRows("carpenter_rows"))
    }

    async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        if !node.name.starts_with("carpenter") {
            return Ok(());
        }
        for work in ["succeeds", "refuses", "fails"] {
            let outcome = cx.db().attempt(table_and_chair(cx, work)).await?;
            let told = outcome.map_or_else(|error| error.public(), |()| "all is well".to_owned());
            cx.notify(Topic::Warning, format!("{work}: {told}"), Some(node)).await?;
        }
        write_row(cx, "carpenter", "bed", "written at the end").await
    }

    async fn on_cluster_update(&self, _cx: &HookContext<'_>, cluster: &Cluster, change: &Change) -> Result<()> {
        if cluster.name == "carpenter: no" && change.contains("changes") {
            return Err(veto("the cluster wants no furniture"));
        }
        Ok(())
    }
}

async fn table_and_chair(cx: &HookContext<'_>, work: &str) -> Result<()> {
    write_row(cx, "carpenter", "table", work).await?;
    match work {
        "refuses" => Err(Error::invalid("there is no wood")),
        "fails" => {
            cx.db().execute_unprepared("INSERT INTO carpenter_rows (event) VALUES ('chair')").await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn all(cx: ExtensionContext) -> Result<Json<Vec<Value>>> {
    rows(&cx, "carpenter").await
}

async fn furnish(cx: ExtensionContext, Path(id): Path<i64>) -> Result<StatusCode> {
    let mut tx = cx.transaction().await?;
    let unknown = || Error::not_found(format!("node {id} does not exist"));
    let node = tx.lock_node(id).await?.ok_or_else(unknown)?;
    let insert = "INSERT INTO carpenter_rows (event, subject) VALUES ('furnished', $1)";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), insert, [node.name.into()]);
    tx.execute_raw(statement).await?;
    if let Some(cluster) = node.cluster {
        tx.note_change(cluster, "furniture");
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn mistakes() -> Result<StatusCode> {
    Err(Error::mistakes(vec![Mistake::at("/0/legs", "three are too few"), Mistake::at("/1", "nobody sits there")]))
}

#[test]
fn what_may_fail_leaves_nothing_behind_and_the_hook_goes_on_even_after_a_statement_that_failed() {
    on_both_databases("", async |server| {
        server.post("/nodes", json!({"mac": mac(1), "name": "carpenter's"})).await.expect(201);
        let rows = server.get("/carpenter/rows").await.expect(200);
        assert_eq!(rows, json!([["table", "succeeds"], ["bed", "written at the end"]]));
        let told = server.get("/notifications").await.expect(200);
        let told: Vec<&str> = each(&told, "message").into_iter().skip(1).filter_map(Value::as_str).collect();
        assert_eq!(
            told,
            ["succeeds: all is well", "refuses: there is no wood", "fails: it failed; the server's log tells why"]
        );
    });
}

#[test]
fn a_handler_notes_a_change_of_a_cluster_and_all_extensions_hear_of_it_once() {
    on_both_databases("", async |server| {
        let (cluster, nodes) = cluster_with_nodes(&server, "one", 1).await;
        let heard = async || {
            let rows = server.get("/herald/rows").await.expect(200);
            list(&rows).iter().filter(|row| row[0] == "on_cluster_update").count()
        };
        let before = heard().await;
        for _ in 0..2 {
            server.put(&format!("/carpenter/nodes/{}", nodes[0]), Value::Null).await.expect(204);
            let cluster = server.get(&format!("/clusters/{cluster}")).await.expect(200);
            assert_eq!(cluster["changes"], json!(["attributes", "nodes", "furniture"]));
            assert_eq!(heard().await, before + 1);
        }
        let free = server.discover(&mac(7)).await;
        server.put(&format!("/carpenter/nodes/{}", free["id"]), Value::Null).await.expect(204);
        server.put("/carpenter/nodes/99", Value::Null).await.expect(404);
        assert_eq!(heard().await, before + 1);
    });
}

#[test]
fn who_refuses_the_change_of_the_cluster_refuses_all_of_the_transaction() {
    on_both_databases("", async |server| {
        // The cluster has the node from the start, and its name speaks in every change after that.
        let node = server.discover(&mac(1)).await["id"].clone();
        let cluster = server.post("/clusters", json!({"name": "one", "nodes": [node]})).await.expect(201);
        let path = format!("/clusters/{}", cluster["id"]);
        server.put(&path, json!({"name": "carpenter: no"})).await.expect(200);
        let refused = server.put(&format!("/carpenter/nodes/{node}"), Value::Null).await.expect(409);
        assert_eq!(refused["detail"], "carpenter: the cluster wants no furniture");
        assert_eq!(server.get("/carpenter/rows").await.expect(200), json!([]));
        assert_eq!(server.get(&path).await.expect(200)["changes"], cluster["changes"]);
    });
}

#[test]
fn a_handler_tells_several_mistakes_with_their_places() {
    on_both_databases("", async |server| {
        let problem = server.post("/carpenter/mistakes", json!({})).await.expect(400);
        assert_eq!(problem["detail"], "three are too few; nobody sits there");
        assert_eq!(each(&problem["errors"], "pointer"), ["/0/legs", "/1"]);
        assert_eq!(problem["extension"], "carpenter");
    });
}
