//! The extensions of these tests, beside `examples/faulty-extension`.
//!
//! Three of them write a row into a table of their own in every hook, so that what is rolled back can be told from what
//! stays. In the total order they are `herald` (by its priority), `probe`, and `bystander` (by its `after`); `faulty`
//! stands before the last of them.

use crate::stages::{Mark, Second, Witness};
use crate::urls_of_probe as urls;
use rivetgun::{
    migration::{ColumnDef, DbErr, MigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    prelude::{
        sea_orm::{ConnectionTrait, Statement},
        *,
    },
};

#[derive(Debug, Default)]
struct Herald;

#[derive(Debug, Default)]
struct Probe;

#[derive(Debug, Default)]
struct Bystander;

/// Every hook, in one place: it tells the type's `called` of the names of its subjects.
macro_rules! with_every_hook {
    (#[extension($($argument:tt)*)] impl Extension for $type:ident { $($declaration:tt)* }) => {
        #[extension($($argument)*)]
        impl Extension for $type {
            $($declaration)*

            async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
                self.called(cx, "on_node_create", vec![&node.name]).await
            }

            async fn on_node_update(&self, cx: &HookContext<'_>, node: &Node, change: &Change) -> Result<()> {
                let hook = match change.get("status") {
                    Some(_) => format!("on_node_update to {}", node.status),
                    None => "on_node_update".to_owned(),
                };
                self.called(cx, &hook, vec![&node.name]).await
            }

            async fn on_node_delete(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
                self.called(cx, "on_node_delete", vec![&node.name]).await
            }

            async fn on_node_collection_delete(&self, cx: &HookContext<'_>, node_ids: &[i64]) -> Result<()> {
                let mut names = Vec::new();
                for id in node_ids {
                    names.extend(cx.model().node(*id).await?.map(|node| node.name));
                }
                self.called(cx, "on_node_collection_delete", names.iter().map(String::as_str).collect()).await
            }

            async fn on_node_assign(&self, cx: &HookContext<'_>, node: &Node, _cluster: &Cluster) -> Result<()> {
                self.called(cx, "on_node_assign", vec![&node.name]).await
            }

            async fn on_remove_node_from_cluster(
                &self,
                cx: &HookContext<'_>,
                node: &Node,
                _cluster: &Cluster,
            ) -> Result<()> {
                self.called(cx, "on_remove_node_from_cluster", vec![&node.name]).await
            }

            async fn on_nodegroup_create(&self, cx: &HookContext<'_>, group: &NodeGroup) -> Result<()> {
                self.called(cx, "on_nodegroup_create", vec![&group.name]).await
            }

            async fn on_nodegroup_delete(&self, cx: &HookContext<'_>, group: &NodeGroup) -> Result<()> {
                self.called(cx, "on_nodegroup_delete", vec![&group.name]).await
            }

            async fn on_cluster_create(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
                self.called(cx, "on_cluster_create", vec![&cluster.name]).await
            }

            async fn on_cluster_update(&self, cx: &HookContext<'_>, cluster: &Cluster, _change: &Change) -> Result<()> {
                self.called(cx, "on_cluster_update", vec![&cluster.name]).await
            }

            async fn on_cluster_delete(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
                self.called(cx, "on_cluster_delete", vec![&cluster.name]).await
            }

            async fn on_cluster_patch_attributes(
                &self,
                cx: &HookContext<'_>,
                cluster: &Cluster,
                _change: &Change,
            ) -> Result<()> {
                self.called(cx, "on_cluster_patch_attributes", vec![&cluster.name]).await
            }

            async fn on_extension_enable(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
                self.called(cx, "on_extension_enable", vec![&cluster.name]).await
            }

            async fn on_extension_disable(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
                self.called(cx, "on_extension_disable", vec![&cluster.name]).await
            }

            async fn on_before_deployment_check(
                &self,
                cx: &HookContext<'_>,
                cluster: &Cluster,
                _nodes: &[Node],
            ) -> Result<()> {
                self.called(cx, "on_before_deployment_check", vec![&cluster.name]).await
            }

            async fn on_before_deployment_serialization(
                &self,
                cx: &HookContext<'_>,
                cluster: &Cluster,
                _nodes: &[Node],
            ) -> Result<()> {
                self.called(cx, "on_before_deployment_serialization", vec![&cluster.name]).await
            }

            async fn on_before_provisioning_serialization(
                &self,
                cx: &HookContext<'_>,
                cluster: &Cluster,
                _nodes: &[Node],
            ) -> Result<()> {
                self.called(cx, "on_before_provisioning_serialization", vec![&cluster.name]).await
            }
        }
    };
}

with_every_hook! {
    #[extension(name = "herald", priority = -1)]
    impl Extension for Herald {
        fn urls(&self) -> Urls {
            urls! { r"/herald/rows/?" => get(herald_rows) }
        }

        fn migrations(&self) -> Migrations {
            Migrations::new().with(CreateRows("herald_rows"))
        }
    }
}

with_every_hook! {
    #[extension(name = "probe", version = "1.2.3", description = "Misbehaves when a name says so", url = "https://example.org/probe")]
    impl Extension for Probe {
        fn urls(&self) -> Urls {
            urls! {
                r"/probe/rows/?" => get(probe_rows),
                r"/probe/echo/(?P<text>[^/]+)/?" => get(urls::echo),
                r"/probe/pair/(?P<second>[a-z]+)-(?P<first>[a-z]+)/?" => get(urls::pair),
                r"/probe/maybe(?:/(?P<number>\d+))?/?" => get(urls::maybe),
                r"/probe/number/(?P<number>\d+)/?" =>
                    get(urls::number).role(Role::Public).put(urls::number).role(Role::Admin),
                r"/probe/body/?" => post(urls::body),
                r"/probe/query/?" => get(urls::query),
                r"/probe/uri/(?P<text>[a-z]+)/?" => get(urls::uri),
                r"/probe/fail/(?P<how>[a-z]+)/?" => get(urls::fail),
                r"/probe/node/(?P<id>\d+)/?" => get(urls::node),
            }
        }

        fn migrations(&self) -> Migrations {
            Migrations::new().with(CreateRows("probe_rows"))
        }

        fn pipelines(&self) -> Pipelines {
            pipelines![Mark, Second]
        }
    }
}

with_every_hook! {
    #[extension(name = "bystander", after = ["faulty", "probe"])]
    impl Extension for Bystander {
        fn urls(&self) -> Urls {
            urls! { r"/bystander/rows/?" => get(bystander_rows) }
        }

        fn migrations(&self) -> Migrations {
            Migrations::new().with(CreateRows("bystander_rows"))
        }

        fn pipelines(&self) -> Pipelines {
            pipelines![Witness]
        }
    }
}

impl Herald {
    async fn called(&self, cx: &HookContext<'_>, hook: &str, names: Vec<&str>) -> Result<()> {
        record(cx, "herald", hook, &names).await
    }
}

impl Probe {
    async fn called(&self, cx: &HookContext<'_>, hook: &str, names: Vec<&str>) -> Result<()> {
        record(cx, "probe", hook, &names).await
    }
}

impl Bystander {
    async fn called(&self, cx: &HookContext<'_>, hook: &str, names: Vec<&str>) -> Result<()> {
        record(cx, "bystander", hook, &names).await?;
        let wanted = names.iter().filter_map(|name| wanted_in(hook, name));
        if wanted.into_iter().any(|how| how.ends_with("and bystander")) {
            return Err(veto("the bystander says no"));
        }
        Ok(())
    }
}

/// What a name wants done in a hook or a stage.
pub(crate) fn wanted_in<'n>(hook: &str, name: &'n str) -> Option<&'n str> {
    name.strip_prefix(hook)?.strip_prefix(": ")
}

async fn record(cx: &HookContext<'_>, extension: &str, hook: &str, names: &[&str]) -> Result<()> {
    write_row(cx, extension, hook, &names.join(", ")).await?;
    if names.iter().any(|name| name.ends_with("in order")) {
        cx.notify(Topic::Warning, hook, None).await?;
    }
    Ok(())
}

/// Writes a row into the table of one of the extensions.
pub(crate) async fn write_row(cx: &HookContext<'_>, extension: &str, hook: &str, subject: &str) -> Result<()> {
    let sql = format!("INSERT INTO {extension}_rows (event, subject) VALUES ($1, $2)");
    let values = [hook.into(), subject.into()];
    cx.db().execute_raw(Statement::from_sql_and_values(cx.db().get_database_backend(), sql, values)).await?;
    Ok(())
}

async fn herald_rows(cx: ExtensionContext) -> Result<Json<Vec<Value>>> {
    rows(&cx, "herald").await
}

async fn probe_rows(cx: ExtensionContext) -> Result<Json<Vec<Value>>> {
    rows(&cx, "probe").await
}

async fn bystander_rows(cx: ExtensionContext) -> Result<Json<Vec<Value>>> {
    rows(&cx, "bystander").await
}

/// Each row as `[hook, names]`.
pub(crate) async fn rows(cx: &ExtensionContext, extension: &str) -> Result<Json<Vec<Value>>> {
    let sql = format!("SELECT event, subject FROM {extension}_rows ORDER BY id");
    let rows = cx.db().query_all_raw(Statement::from_string(cx.db().get_database_backend(), sql)).await?;
    let rows = rows.iter().map(|row| {
        let (event, subject): (String, String) = (row.try_get("", "event")?, row.try_get("", "subject")?);
        Ok(json!([event, subject]))
    });
    Ok(Json(rows.collect::<Result<_>>()?))
}

/// The table of one of the extensions.
pub(crate) struct CreateRows(pub(crate) &'static str);

impl MigrationName for CreateRows {
    fn name(&self) -> &str {
        "m20261121_000001_create_rows"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateRows {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(self.0)
            .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
            .col(ColumnDef::new("event").text().not_null())
            .col(ColumnDef::new("subject").text().not_null())
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(self.0).take()).await
    }
}
