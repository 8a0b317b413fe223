//! The contract suite finds what it is there to find.

use crate::probe::CreateRows;
use rivetgun::{
    migration::{ColumnDef, DbErr, MigrationName, MigrationTrait, SchemaManager, Table},
    prelude::*,
    testkit::Contract,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Breaks every rule that can be broken without keeping the server from starting. Its hook hangs for the suite's cluster
/// only: it is in the servers of the other tests as well.
#[derive(Debug, Default)]
struct Sloppy;

#[extension(name = "sloppy", version = "1.0.0", description = " ")]
impl Extension for Sloppy {
    fn urls(&self) -> Urls {
        urls! {
            r"/sloppy/(?P<name>[a-z]+)/?" => get(panics),
            r"/sloppy/(?P<number>\d+)/?" => post(errs_in_words_of_its_own),
        }
    }

    fn migrations(&self) -> Migrations {
        Migrations::new().with(CreateRows("sloppy_rows")).with(Stays)
    }

    fn pipelines(&self) -> Pipelines {
        pipelines![Forgetful]
    }

    fn demo(&self) -> Demo {
        Demo::new().get("/sloppy/a").post("/sloppy/{node_id}", json!({"cluster": "{cluster_id}"}))
    }

    async fn on_cluster_update(&self, _cx: &HookContext<'_>, cluster: &Cluster, _change: &Change) -> Result<()> {
        if cluster.name == "contract, renamed" {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

async fn panics(Path(name): Path<String>) -> String {
    assert_ne!(name, "zz", "the inner secret of the sloppy extension");
    name
}

async fn errs_in_words_of_its_own() -> (StatusCode, Json<Value>) {
    (StatusCode::BAD_REQUEST, Json(json!({"oh": "no"})))
}

/// Makes a table, and does not take it back.
struct Stays;

impl MigrationName for Stays {
    fn name(&self) -> &str {
        "m20261121_000002_stays"
    }
}

#[async_trait]
impl MigrationTrait for Stays {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(Table::create().table("sloppy_stays").col(ColumnDef::new("id").integer()).take()).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

struct Forgetful;

static CALLS: AtomicU64 = AtomicU64::new(0);

#[pipeline]
impl Pipeline for Forgetful {
    fn process_provisioning(&self, _cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        data.common_mut().insert("calls".into(), CALLS.fetch_add(1, Ordering::Relaxed).into());
        Ok(())
    }

    fn process_deployment_for_node(&self, _cx: &PipelineContext, _node: &Node, data: &mut NodeData) -> Result<()> {
        data.remove("hostname");
        data.retain(|key, _| key != "rivetgun_contract");
        Ok(())
    }
}

#[test]
fn the_suite_tells_everything_that_an_extension_does_wrong() {
    let settings = "[extensions.sloppy]\nhook_timeout_ms = 200";
    let told = std::panic::catch_unwind(|| Contract::of::<Sloppy>().settings(settings).check());
    let told = told.expect_err("it found nothing").downcast::<String>().expect("a text");
    for part in [
        "`sloppy` does not keep the contract:",
        "there is no description",
        "PUT /api/v1/clusters/1 was answered with 504",
        "the provisioning data differ when they are made again",
        "in the deployment data of node 1, `hostname` was \"node-1\", and is null after its stages",
        "in the deployment data of node 3, `rivetgun_contract` changed, which is not its own",
        "GET /api/v1/sloppy/zz with the body `` was answered with 500",
        "taken back once, they leave sloppy_stays",
        "the migration m20261121_000002_stays of `sloppy` failed",
        "POST /api/v1/sloppy/7 was answered with 400, and not as a problem",
        "POST /api/v1/sloppy/1 of its demo was answered with 400",
        "(sqlite, postgres)",
    ] {
        assert!(told.contains(part), "{part:?} is not in: {told}");
    }
    assert!(!told.contains("in the provisioning data of node"), "{told}");
}
