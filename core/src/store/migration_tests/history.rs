//! Histories, checksums, going down, purging, and several servers at once.

use super::*;
use crate::{
    store::{MigrationState, Owner, Owners, locks::Lock},
    testkit::on_both_stores,
};
use futures_util::future::join_all;
use sea_orm_migration::prelude::{ColumnDef, Query, Table};
use std::time::Duration;

fn two() -> Migrator {
    extension(
        "volume",
        vec![
            Raw::new("m1", &["CREATE TABLE volume_rows (id INTEGER PRIMARY KEY)"]).down(&["DROP TABLE volume_rows"]),
            Raw::new("m2", &["CREATE TABLE volume_more (id INTEGER PRIMARY KEY)"]).down(&["DROP TABLE volume_more"]),
        ],
    )
}

async fn states(store: &Store, migrator: &Migrator) -> Vec<(String, MigrationState)> {
    store.states(&store.ledger().await.expect("the ledger"), migrator).await
}

fn named(states: &[(&str, MigrationState)]) -> Vec<(String, MigrationState)> {
    states.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
}

#[test]
fn a_migration_that_changes_after_it_was_applied_is_found_until_it_is_accepted() {
    use MigrationState::{Applied, Changed, Pending};
    on_both_stores(async |store| {
        prepare(&store).await;
        let old = two();
        assert_eq!(states(&store, &old).await, named(&[("m1", Pending), ("m2", Pending)]));
        up(&store, &old).await.expect("up");
        assert_eq!(states(&store, &old).await, named(&[("m1", Applied), ("m2", Applied)]));
        let mut new = two();
        new.migrations[0] = Arc::new(Raw::new("m1", &["CREATE TABLE volume_rows (id INTEGER PRIMARY KEY, more TEXT)"]));
        assert_eq!(states(&store, &new).await, named(&[("m1", Changed), ("m2", Applied)]));
        let ledger = store.ledger().await.expect("the ledger");
        let error = store.check_applied(&ledger, &[core(), new]).await.expect_err("it changed");
        for part in ["m1 of `volume`", "rivetgun migrate accept --extension volume"] {
            assert!(told(&error).contains(part), "{part} in {}", told(&error));
        }
        let mut new = two();
        new.migrations[0] = Arc::new(Raw::new("m1", &["CREATE TABLE volume_rows (id INTEGER PRIMARY KEY, more TEXT)"]));
        assert_eq!(store.accept(&new).await.expect("accepted"), ["m1"]);
        assert_eq!(states(&store, &new).await, named(&[("m1", Applied), ("m2", Applied)]));
        assert_eq!(states(&store, &old).await, named(&[("m1", Changed), ("m2", Applied)]));
        store.close().await.expect("it closes");
    });
}

#[test]
fn a_database_from_before_checksums_gets_them_silently() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let migrators = [core(), two()];
        up(&store, &migrators[1]).await.expect("up");
        let all = lines(
            &store,
            "SELECT owner || ' ' || migration || ' ' || checksum AS line FROM migration_checksums ORDER BY 1",
        )
        .await;
        store.reader().execute_unprepared("DELETE FROM migration_checksums").await.expect("as it was before");
        store.check_applied(&store.ledger().await.expect("the ledger"), &migrators).await.expect("nothing changed");
        store.keep_lacking_checksums(&migrators).await.expect("recorded");
        let again = lines(
            &store,
            "SELECT owner || ' ' || migration || ' ' || checksum AS line FROM migration_checksums
            ORDER BY 1",
        )
        .await;
        assert_eq!(again, all.into_iter().filter(|line| !line.starts_with("other")).collect::<Vec<_>>());
        assert!(again.len() > 7, "{again:?}");
        // Those of a version that words SQL differently are not compared, and are written anew.
        store
            .reader()
            .execute_unprepared("UPDATE migration_checksums SET checksum = '0:abc'")
            .await
            .expect("another version");
        store.check_applied(&store.ledger().await.expect("the ledger"), &migrators).await.expect("nothing to compare");
        store.keep_lacking_checksums(&migrators).await.expect("recorded");
        assert_eq!(
            lines(
                &store,
                "SELECT owner || ' ' || migration || ' ' || checksum AS line FROM migration_checksums
            ORDER BY 1"
            )
            .await,
            again
        );
        store.close().await.expect("it closes");
    });
}

#[test]
fn a_migration_that_the_build_lacks_is_refused_with_its_name() {
    on_both_stores(async |store| {
        prepare(&store).await;
        up(&store, &two()).await.expect("up");
        let mut fewer = two();
        fewer.migrations.truncate(1);
        let ledger = store.ledger().await.expect("the ledger");
        let error = store.check_applied(&ledger, &[fewer]).await.expect_err("m2 is gone");
        assert!(told(&error).contains("`volume`") && told(&error).ends_with("m2"), "{}", told(&error));
        // An extension that is gone altogether is nobody's trouble.
        store.check_applied(&ledger, &[core()]).await.expect("the rest is as it was");
        assert_eq!(ledger.orphans(["other"]), ["volume"]);
        store.close().await.expect("it closes");
    });
}

#[test]
fn an_orphan_keeps_its_prefix() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let gone = extension("volume_keeper", vec![Raw::new("m1", &["CREATE TABLE volume_keeper_rows (id INTEGER)"])]);
        up(&store, &gone).await.expect("up");
        let ledger = store.ledger().await.expect("the ledger");
        let owners = ledger.owners(["volume"]);
        assert_eq!(owners.of("volume_keeper_rows"), Owner::Extension("volume_keeper"));
        let error = store.migrate(&volume(&["DROP TABLE volume_keeper_rows"]), &owners, Work::Up, Mode::Keep).await;
        let error = told(&error.expect_err("it is another's"));
        assert!(error.contains("`volume_keeper_rows`, which belongs to `volume_keeper`"), "{error}");
        // A table that is only called like a history does not make an owner.
        let tricky = volume(&["CREATE TABLE volume_data_migrations (id INTEGER, version TEXT)"]);
        up(&store, &tricky).await.expect("its own table");
        assert_eq!(store.ledger().await.expect("the ledger").orphans(["other", "volume"]), ["volume_keeper"]);
        store.close().await.expect("it closes");
    });
}

#[test]
fn going_down_takes_back_the_latest_first_and_forgets_it() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let before = everything(&store).await;
        let migrator = two();
        up(&store, &migrator).await.expect("up");
        assert_eq!(work(&store, &migrator, Work::Down(1), Mode::DryRun).await.expect("tried"), ["m2"]);
        assert_eq!(work(&store, &migrator, Work::Down(1), Mode::Keep).await.expect("down"), ["m2"]);
        assert_eq!(work(&store, &migrator, Work::Down(9), Mode::Keep).await.expect("down"), ["m1"]);
        assert_eq!(work(&store, &migrator, Work::Down(9), Mode::Keep).await.expect("down"), Vec::<String>::new());
        let empty_history = ["volume_migrations", "applied_at", "version"];
        let left: Vec<String> = everything(&store).await.into_iter().filter(|line| !before.contains(line)).collect();
        assert!(left.iter().all(|line| empty_history.iter().any(|part| line.contains(part))), "{left:?}");
        assert_eq!(up(&store, &migrator).await.expect("up again"), ["m1", "m2"]);
        store.close().await.expect("it closes");
    });
}

#[test]
fn a_dry_run_finds_what_a_run_would_and_writes_nothing() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let before = everything(&store).await;
        assert_eq!(work(&store, &two(), Work::Up, Mode::DryRun).await.expect("tried"), ["m1", "m2"]);
        let error = work(&store, &volume(&["CREATE TABLE foo (id INTEGER)"]), Work::Up, Mode::DryRun).await;
        assert!(told(&error.expect_err("the fence stands")).contains("table `foo`"));
        assert_eq!(everything(&store).await, before);
        store.close().await.expect("it closes");
    });
}

#[test]
fn a_migration_that_fails_or_panics_leaves_nothing_and_is_named() {
    struct Panics;
    impl MigrationName for Panics {
        fn name(&self) -> &str {
            "m2_panics"
        }
    }
    #[async_trait::async_trait]
    impl MigrationTrait for Panics {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            manager.get_connection().execute_unprepared("CREATE TABLE volume_half (id INTEGER)").await?;
            panic!("in the middle");
        }
    }
    on_both_stores(async |store| {
        prepare(&store).await;
        let before = everything(&store).await;
        let mut panics = volume(&["CREATE TABLE volume_rows (id INTEGER)"]);
        panics.migrations.push(Arc::new(Panics));
        let error = told(&up(&store, &panics).await.expect_err("it panics"));
        assert!(error.contains("m2_panics of `volume` panicked") && error.contains("in the middle"), "{error}");
        let fails = extension("volume", vec![Raw::new("m1", &["CREATE TABLE volume_rows (id INTEGER)", "NONSENSE"])]);
        let error = told(&up(&store, &fails).await.expect_err("it fails"));
        assert!(error.contains("m1 of `volume` failed"), "{error}");
        assert_eq!(everything(&store).await, before);
        let one_way = two();
        let error =
            work(&store, &Migrator { migrations: vec![Arc::new(OneWay)], ..one_way }, Work::Up, Mode::Keep).await;
        error.expect("up");
        let one_way = Migrator { migrations: vec![Arc::new(OneWay)], ..two() };
        let error = told(&work(&store, &one_way, Work::Down(1), Mode::Keep).await.expect_err("no way back"));
        assert!(error.contains("m1_one_way of `volume` cannot be taken back"), "{error}");
        store.close().await.expect("it closes");
    });
}

struct OneWay;

impl MigrationName for OneWay {
    fn name(&self) -> &str {
        "m1_one_way"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for OneWay {
    async fn up(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

#[test]
fn purging_drops_what_was_its_own_and_nothing_else() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let before = everything(&store).await;
        let mut statements = vec![
            "CREATE TABLE volume_rows (id INTEGER PRIMARY KEY)",
            "CREATE TABLE volume_a_child (id INTEGER REFERENCES volume_rows (id))",
            "CREATE TABLE volume_z_child (id INTEGER REFERENCES volume_rows (id))",
            "INSERT INTO volume_rows VALUES (1)",
            "INSERT INTO volume_a_child VALUES (1)",
            "INSERT INTO volume_z_child VALUES (1)",
            "CREATE VIEW volume_v AS SELECT * FROM volume_rows",
            "CREATE INDEX volume_ix ON volume_a_child (id)",
        ];
        if store.dialect() == DbBackend::Postgres {
            statements.extend([
                "CREATE TYPE volume_mood AS ENUM ('good')",
                "CREATE TABLE volume_moods (id bigserial, mood volume_mood)",
                "CREATE SEQUENCE volume_numbers",
                "CREATE MATERIALIZED VIEW volume_seen AS SELECT mood FROM volume_moods",
            ]);
        }
        up(&store, &volume(&statements)).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        let manager =
            extension("volume_keeper", vec![Raw::new("m1", &["CREATE TABLE volume_keeper_rows (id INTEGER)"])]);
        up(&store, &manager).await.expect("its neighbour");
        let all = everything(&store).await;
        let owners = store.ledger().await.expect("the ledger").owners(["other"]);
        let planned =
            store.purge("volume", &owners, Mode::DryRun).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        assert_eq!(everything(&store).await, all, "a dry run");
        let names: Vec<&str> = planned.objects.iter().map(|own| own.name.as_str()).collect();
        assert!(
            names.contains(&"volume_rows") && names.contains(&"volume_v") && names.contains(&"volume_migrations"),
            "{names:?}"
        );
        assert!(!names.contains(&"volume_keeper_rows"), "{names:?}");
        assert_eq!(planned.buffered, 1);
        store.purge("volume", &owners, Mode::Keep).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        store.purge("volume_keeper", &owners, Mode::Keep).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        let rest: Vec<String> = before
            .into_iter()
            .filter(|line| !line.starts_with("extensions_migration_buffer ") || !line.contains("volume"))
            .collect();
        assert_eq!(everything(&store).await, rest);
        assert!(store.ledger().await.expect("the ledger").orphans(["other"]).is_empty());
        store.close().await.expect("it closes");
    });
}

#[test]
fn servers_that_start_at_once_apply_each_migration_once() {
    on_both_stores(async |store| {
        let servers = (0..3).map(async |_| {
            let migrators =
                [core(), two(), extension("other", vec![Raw::new("m1", &["CREATE TABLE other_rows (id INTEGER)"])])];
            let mut ran = Vec::new();
            for migrator in &migrators {
                ran.extend(up(&store, migrator).await.unwrap_or_else(|error| panic!("{}", told(&error))));
            }
            store.keep_lacking_checksums(&migrators).await.expect("checksums");
            ran
        });
        let ran: Vec<String> = join_all(servers).await.concat();
        let mut once = ran.clone();
        once.sort();
        once.dedup();
        let m1_of_two_owners = 1;
        assert_eq!(ran.len(), once.len() + m1_of_two_owners, "{ran:?}");
        assert_eq!(ran.len(), core().migrations.len() + 3);
        store.close().await.expect("it closes");
    });
}

#[test]
fn fifty_extensions_are_looked_up_in_three_reads() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    on_both_stores(async |store| {
        up(&store, &core()).await.expect("the core");
        let fifty = |number: usize| {
            let table = |part: &str| {
                format!("CREATE TABLE e{number}_{part} (id INTEGER PRIMARY KEY, node_id BIGINT, event TEXT, time TEXT)")
            };
            let raws = ["one", "two", "three"].map(|part| Raw::new(&format!("m_{part}"), &[&table(part)]));
            extension(&format!("e{number}"), raws.to_vec())
        };
        let migrators: Vec<Migrator> = (0..50).map(fifty).chain([core()]).collect();
        let owners = Owners::new((0..50).map(|number| format!("e{number}")));
        for migrator in &migrators {
            store.migrate(migrator, &owners, Work::Up, Mode::Keep).await.expect("up");
        }
        let reads = Arc::new(AtomicUsize::new(0));
        let mut counted = store.reader().clone();
        let counter = Arc::clone(&reads);
        counted.set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let ledger = super::super::Ledger::read(&counted).await.expect("the ledger");
        assert_eq!(ledger.applied("e49"), ["m_one", "m_three", "m_two"]);
        assert_eq!(reads.load(Ordering::SeqCst), 3);
        store.close().await.expect("it closes");
    });
}

/// Asks what is there, and writes what differs each time.
struct Lively(&'static str);

impl MigrationName for Lively {
    fn name(&self) -> &str {
        "m1_lively"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Lively {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !manager.has_table("volume_rows").await? {
            let column = |name: &'static str| ColumnDef::new(name).text().not_null().take();
            let table =
                Table::create().table("volume_rows").col(column("id")).col(column("time")).col(column("text")).take();
            manager.create_table(table).await?;
        }
        let now = chrono::Utc::now();
        let values = [uuid::Uuid::now_v7().to_string().into(), now.to_rfc3339().into(), self.0.into()];
        let insert =
            Query::insert().into_table("volume_rows").columns(["id", "time", "text"]).values_panic(values).take();
        manager.execute(insert).await
    }
}

#[test]
fn a_checksum_depends_on_the_code_and_not_on_the_moment_or_the_database() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let lively = |text| Migrator { migrations: vec![Arc::new(Lively(text))], ..two() };
        up(&store, &lively("seed")).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        assert_eq!(states(&store, &lively("seed")).await, named(&[("m1_lively", MigrationState::Applied)]));
        assert_eq!(states(&store, &lively("another seed")).await, named(&[("m1_lively", MigrationState::Changed)]));
        store.close().await.expect("it closes");
    });
}

/// Where this fails without a change of the migration, sea-orm words SQL differently: give `record::MARK` another value,
/// so that no database finds its migrations changed.
#[test]
fn the_checksum_of_a_migration_stays_what_it_is() {
    on_both_stores(async |store| {
        up(&store, &core()).await.expect("the core");
        let sql = "SELECT checksum AS line FROM migration_checksums
            WHERE migration IN ('m20261121_000003_create_nodes', 'm20261121_000004_create_tasks') ORDER BY migration";
        let expected = match store.dialect() {
            DbBackend::Postgres => [
                "1:b3816ce74e75227dfb1b4c1ff9d31cacbc82f0eb95c039b0651a75005024b8f6",
                "1:151ecabedb2e522c2bddfc6c9b207120db32578fbf7b06910fbedf03bf874537",
            ],
            _ => [
                "1:9d55812d4e88e4c464efc64f74817e82eb4bc79ab09792eece3e391efb6ad47f",
                "1:13806b6d85d550b71f3ffb303437c4fdca846dec9ee5ec0bbefa73c5a33114c4",
            ],
        };
        assert_eq!(lines(&store, sql).await, expected);
        store.close().await.expect("it closes");
    });
}

#[test]
fn a_name_that_comes_later_does_not_take_over_what_is_there() {
    on_both_stores(async |store| {
        prepare(&store).await;
        up(&store, &volume(&["CREATE TABLE volume_extra_rows (id INTEGER)"])).await.expect("the first");
        let extra = extension("volume_extra", vec![Raw::new("m1", &["DROP TABLE volume_extra_rows"])]);
        let owners = store.ledger().await.expect("the ledger").owners(["volume", "volume_extra"]);
        let error = store.migrate(&extra, &owners, Work::Up, Mode::Keep).await.expect_err("it is another's");
        assert!(
            told(&error).contains("`volume_extra` is new") && told(&error).contains("(volume_extra_rows)"),
            "{error}"
        );
        assert!(lines(&store, "SELECT id AS line FROM volume_extra_rows").await.is_empty(), "it is still there");
        store.close().await.expect("it closes");
    });
}

#[test]
fn objects_of_every_kind_that_nobody_here_made_disturb_nobody() {
    on_both_stores(async |store| {
        if store.dialect() == DbBackend::Postgres {
            for sql in
                ["SELECT lo_create(0)", "CREATE TEXT SEARCH CONFIGURATION stray (COPY = simple)", "CREATE SCHEMA stray"]
            {
                store.reader().execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        } else {
            for sql in
                ["CREATE TABLE stray (id INTEGER)", "CREATE VIEW broken AS SELECT * FROM stray", "DROP TABLE stray"]
            {
                store.reader().execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
        prepare(&store).await;
        let honest =
            volume(&["CREATE TABLE volume_rows (id INTEGER)", "CREATE VIEW volume_v AS SELECT * FROM volume_rows"]);
        up(&store, &honest).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        store.close().await.expect("it closes");
    });
}

#[test]
fn whoever_migrates_holds_up_nobody_who_writes_events() {
    on_both_stores(async |store| {
        up(&store, &core()).await.expect("the core");
        // On SQLite there is one writer, whatever it does.
        if store.dialect() == DbBackend::Postgres {
            let migrates = store.write().await.expect("a transaction");
            Lock::Migrations.take(&migrates).await.expect("the lock");
            let writes = store.write().await.expect("another one");
            writes.journal.tell("builds", "end", "1".to_owned(), &(), None::<&()>);
            let told = tokio::time::timeout(Duration::from_secs(5), writes.commit()).await;
            told.expect("it waits for nobody").expect("it is committed");
            migrates.rollback().await.expect("it is rolled back");
        }
        store.close().await.expect("it closes");
    });
}
