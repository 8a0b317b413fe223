//! Rows that wait for an extension.

use super::*;
use crate::{
    store::{buffered, take_buffered},
    testkit::on_both_stores,
};
use serde_json::{Value, json};

/// The first migration of an extension that takes over what the core parked.
struct Takes(&'static str);

impl MigrationName for Takes {
    fn name(&self) -> &str {
        "m1_takes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Takes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = format!("{}_taken", self.0);
        let connection = manager.get_connection();
        connection.execute_unprepared(&format!("CREATE TABLE {table} (place INTEGER, data TEXT)")).await?;
        for (place, row) in take_buffered(manager, self.0).await?.iter().enumerate() {
            connection.execute_unprepared(&format!("INSERT INTO {table} VALUES ({place}, '{row}')")).await?;
        }
        Ok(())
    }
}

/// A migration of the core that gives up data.
struct Parks;

impl MigrationName for Parks {
    fn name(&self) -> &str {
        "m9_parks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Parks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let rows = |name: &'static str, count: i64| (0..count).map(move |number| json!({"of": name, "number": number}));
        rivetgun_migrations::park(manager, "volume", rows("volume", 2500)).await?;
        rivetgun_migrations::park(manager, "volume_keeper", rows("volume_keeper", 3)).await?;
        rivetgun_migrations::park(manager, "nobody", [Value::Null]).await
    }
}

fn takes(name: &'static str) -> Migrator {
    let mut migrator = extension(name, Vec::new());
    migrator.migrations.push(Arc::new(Takes(name)));
    migrator
}

#[test]
fn rows_wait_until_their_extension_comes_and_go_to_no_other() {
    on_both_stores(async |store| {
        let mut core = core();
        core.migrations.push(Arc::new(Parks));
        up(&store, &core).await.expect("the core parks");
        let waiting = async || buffered(store.reader()).await.expect("the buffer").into_iter().collect::<Vec<_>>();
        let all = [("nobody", 1), ("volume", 2500), ("volume_keeper", 3)].map(|(name, n)| (name.to_owned(), n));
        assert_eq!(waiting().await, all);

        // A build without them comes up again and again; the rows stay.
        up(&store, &extension("other", vec![])).await.expect("a build without them");
        assert_eq!(waiting().await, all);

        up(&store, &takes("volume")).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        assert_eq!(waiting().await, [all[0].clone(), all[2].clone()]);
        let taken = lines(&store, "SELECT data AS line FROM volume_taken ORDER BY place").await;
        let numbers: Vec<Value> =
            taken.iter().map(|row| serde_json::from_str::<Value>(row).expect("JSON")["number"].clone()).collect();
        assert_eq!(numbers, (0..2500).map(Value::from).collect::<Vec<_>>(), "in the order in which they were parked");

        up(&store, &takes("volume_keeper")).await.expect("it comes later");
        assert_eq!(waiting().await, [all[0].clone()], "those of nobody wait on");
        store.close().await.expect("it closes");
    });
}

#[test]
fn rows_of_another_extension_cannot_be_taken() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let mut thief = extension("volume", Vec::new());
        thief.migrations.push(Arc::new(Takes("other")));
        let before = everything(&store).await;
        let error = told(&up(&store, &thief).await.expect_err("they are another's"));
        assert!(error.contains("may not change rows of table `extensions_migration_buffer`"), "{error}");
        assert!(error.contains("`other_taken`, which belongs to `other`"), "{error}");
        assert_eq!(everything(&store).await, before);
        store.close().await.expect("it closes");
    });
}

#[test]
fn a_database_without_a_buffer_has_nothing_to_take() {
    on_both_stores(async |store| {
        assert_eq!(up(&store, &takes("volume")).await.expect("no core, no buffer"), ["m1_takes"]);
        store.close().await.expect("it closes");
    });
}
