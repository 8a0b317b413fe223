//! Calls between extensions: by a trait, to whom the caller requires, or to whom a node or its cluster has enabled.

use crate::{
    common::{assign, contains, enable, list, node_named},
    probe::{CreateRows, rows},
    steps::Steps,
};
use rivetgun::{
    prelude::{sea_orm::ConnectionTrait, *},
    testkit::on_both_databases,
};
use std::sync::Arc;

/// What the extensions of this module provide to each other.
#[async_trait]
trait Seats: Send + Sync {
    async fn of_node(&self, cx: &CallContext, node: &Node) -> Result<String>;
}

struct Numbered(&'static str);

#[async_trait]
impl Seats for Numbered {
    async fn of_node(&self, cx: &CallContext, node: &Node) -> Result<String> {
        match node.name.as_str() {
            "panic" => panic!("the inner secret of the provider"),
            "veto" => Err(veto("all seats are taken")),
            "unknown" => Err(Error::not_found("no seat has that name")),
            "half" => {
                cx.db().execute_unprepared("INSERT INTO hall_rows (event, subject) VALUES ('a', 'b')").await?;
                Err(Error::conflict("half of it is written"))
            }
            "foreign" => {
                // Its own tables, and not those of whoever calls.
                cx.db().execute_unprepared("SELECT * FROM caller_rows").await?;
                Ok(String::new())
            }
            _ => Ok(format!("{} {}", self.0, cx.model().node(node.id).await?.map_or(0, |node| node.id))),
        }
    }
}

#[derive(Debug, Default)]
struct Hall;

#[extension(name = "hall", version = "1.5.0", description = "Has seats", settings = Steps)]
impl Extension for Hall {
    fn urls(&self) -> Urls {
        urls! { r"/hall/rows/?" => get(hall_rows) }
    }

    fn migrations(&self) -> Migrations {
        Migrations::new().with(CreateRows("hall_rows"))
    }

    fn provides(&self) -> Provides {
        Provides::new().with::<dyn Seats>(Arc::new(Numbered("hall")))
    }

    async fn initialize(&self, cx: &ExtensionContext) -> Result<()> {
        cx.settings::<Self>().initialize("hall")
    }

    async fn close(&self, cx: &ExtensionContext) -> Result<()> {
        cx.settings::<Self>().note("hall closes")
    }
}

async fn hall_rows(cx: ExtensionContext) -> Result<Json<Vec<Value>>> {
    rows(&cx, "hall").await
}

#[derive(Debug, Default)]
struct Annex;

#[extension(name = "annex", version = "1.0.0", description = "Has seats too", settings = Steps)]
impl Extension for Annex {
    fn provides(&self) -> Provides {
        Provides::new().with::<dyn Seats>(Arc::new(Numbered("annex")))
    }

    async fn initialize(&self, cx: &ExtensionContext) -> Result<()> {
        cx.settings::<Self>().initialize("annex")
    }
}

#[derive(Debug, Default)]
struct Usher;

#[extension(
    name = "usher",
    version = "1.0.0",
    description = "Asks for seats",
    requires = ["hall >= 1.2"],
    settings = Steps
)]
impl Extension for Usher {
    async fn initialize(&self, cx: &ExtensionContext) -> Result<()> {
        cx.settings::<Self>().initialize("usher")
    }

    async fn close(&self, cx: &ExtensionContext) -> Result<()> {
        cx.settings::<Self>().note("usher closes")
    }

    fn calls(&self) -> Calls {
        Calls::new().to::<dyn Seats>()
    }

    fn urls(&self) -> Urls {
        urls! {
            r"/usher/required/(?P<node>\d+)/?" => get(required),
            r"/usher/of_node/(?P<node>\d+)/?" => get(of_node),
        }
    }

    async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        let seats = cx.provider::<dyn Seats>()?;
        let seat = seats.call(|seats, cx| seats.of_node(cx, node)).await;
        if node.name == "half" { Ok(()) } else { seat.map(drop) }
    }
}

async fn required(cx: ExtensionContext, Path(node): Path<i64>) -> Result<String> {
    let node = cx.model().node(node).await?.ok_or_else(|| Error::not_found("no such node"))?;
    let seats = cx.provider::<dyn Seats>()?;
    let tx = cx.transaction().await?;
    let outside = seats.call(|seats, cx| seats.of_node(cx, &node)).await?;
    let seats = seats.within(&tx);
    let inside = seats.call(|seats, cx| seats.of_node(cx, &node)).await?;
    assert_eq!((seats.extension(), &outside), ("hall", &inside));
    drop(seats);
    tx.commit().await?;
    Ok(inside)
}

async fn of_node(cx: ExtensionContext, Path(node): Path<i64>) -> Result<String> {
    let node = cx.model().node(node).await?.ok_or_else(|| Error::not_found("no such node"))?;
    let seats = cx.provider_for_node::<dyn Seats>(&node).await?;
    seats.call(|seats, cx| seats.of_node(cx, &node)).await
}

#[test]
fn who_is_required_answers_whatever_is_enabled() {
    on_both_databases("", async |server| {
        let node = node_named(&server, 1, "n").await;
        assert_eq!(server.get(&format!("/usher/required/{node}")).await.expect(200), format!("hall {node}"));
        let extensions = server.get("/extensions/hall").await.expect(200);
        assert_eq!(list(&extensions["provides"]).len(), 1);
        assert!(contains(&extensions["provides"][0], "providers::Seats"), "{extensions}");
        assert_eq!(server.get("/extensions/usher").await.expect(200)["provides"], json!([]));
    });
}

#[test]
fn a_node_s_own_extensions_answer_first_and_then_its_cluster_s() {
    on_both_databases("", async |server| {
        let node = node_named(&server, 1, "n").await;
        let (path, seats) = (format!("/nodes/{node}"), format!("/usher/of_node/{node}"));
        let problem = server.get(&seats).await.expect(409);
        assert!(contains(&problem["detail"], &format!("enabled for node {node} provides")), "{problem}");

        let cluster = server.create_cluster("c").await["id"].clone();
        assign(&server, &cluster, std::slice::from_ref(&node), &[]).await;
        server.get(&seats).await.expect(409);
        enable(&server, &cluster, &["hall"]).await;
        assert_eq!(server.get(&seats).await.expect(200), format!("hall {node}"));
        enable(&server, &cluster, &["annex"]).await;
        assert_eq!(server.get(&seats).await.expect(200), format!("annex {node}"), "the first in the total order");
        server.put(&path, json!({"extensions": ["hall"]})).await.expect(200);
        assert_eq!(server.get(&seats).await.expect(200), format!("hall {node}"), "the node's own come first");
    });
}

#[test]
fn what_a_provider_does_wrong_is_attributed_to_it_and_contained() {
    on_both_databases("", async |server| {
        for (number, (name, status, detail)) in [
            ("panic", 500, "failed"),
            ("foreign", 500, "failed"),
            ("veto", 409, "all seats are taken"),
            ("unknown", 500, "no seat has that name"),
        ]
        .into_iter()
        .enumerate()
        {
            let body = json!({"mac": crate::common::mac(number), "name": name});
            let problem = server.post("/nodes", body).await.expect(status);
            assert!(contains(&problem["detail"], detail), "{name}: {problem}");
            assert!(!problem.to_string().contains("secret"), "{problem}");
        }
        assert_eq!(server.get("/nodes").await.expect(200), json!([]));
    });
}

#[test]
fn of_a_call_that_failed_nothing_stays_even_where_the_caller_goes_on() {
    on_both_databases("", async |server| {
        node_named(&server, 1, "half").await;
        assert_eq!(server.get("/hall/rows").await.expect(200), json!([]));
    });
}

#[test]
fn who_has_failed_is_not_called_and_who_requires_it_has_failed_too() {
    on_both_databases("[extensions.annex]\naway = true", async |server| {
        let node = node_named(&server, 1, "n").await;
        server.put(&format!("/nodes/{node}"), json!({"extensions": ["annex"]})).await.expect(200);
        let problem = server.get(&format!("/usher/of_node/{node}")).await.expect(409);
        for part in ["`annex`", "Seats", "has failed", "annex is away"] {
            assert!(contains(&problem["detail"], part), "{part}: {problem}");
        }
    });
    on_both_databases("[extensions.hall]\naway = true", async |server| {
        // It would ask the hall.
        node_named(&server, 1, "veto").await;
        let usher = server.get("/extensions/usher").await.expect(200);
        assert_eq!(usher["status"], "failed");
        assert_eq!(usher["reason"], "it requires `hall`, which has failed");
        assert_eq!(server.get("/usher/required/1").await.expect(503)["extension"], "usher");
        assert_eq!(server.get("/extensions/annex").await.expect(200)["status"], "running");
    });
}
