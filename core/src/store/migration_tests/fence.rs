//! What a migration may not do, on which database, and what it is told; and what it may.

use super::*;
use crate::testkit::on_both_stores;
use sea_orm::DatabaseBackend::{Postgres, Sqlite};

const BOTH: &[DbBackend] = &[Postgres, Sqlite];
const OWN: &str = "CREATE TABLE volume_rows (id INTEGER PRIMARY KEY, node_id BIGINT, text TEXT)";
const OF_NODES: &str = "of table `nodes`, which belongs to the core";

/// Where it is tried, the statements, and what the error says of them.
type Case = (&'static [DbBackend], &'static [&'static str], &'static [&'static str]);

const MISBEHAVIOUR: &[Case] = &[
    // Things without the prefix, or with somebody else's.
    (BOTH, &["CREATE TABLE foo (id INTEGER)"], &["table `foo` does not begin with `volume_`"]),
    (BOTH, &["CREATE TABLE volumes (id INTEGER)"], &["table `volumes` does not begin with `volume_`"]),
    (BOTH, &["CREATE TABLE other_more (id INTEGER)"], &["may not make table `other_more`, which belongs to `other`"]),
    (
        BOTH,
        &["CREATE TABLE volume_keeper_rows (id INTEGER)"],
        &["`volume_keeper_rows`, which belongs to `volume_keeper`"],
    ),
    (
        BOTH,
        &[OWN, "CREATE INDEX ix_foo ON volume_rows (text)"],
        &["index `ix_foo` of table `volume_rows` does not begin with `volume_`"],
    ),
    (
        BOTH,
        &[OWN, "CREATE INDEX volume_keeper_ix ON volume_rows (text)"],
        &["index `volume_keeper_ix`", "belongs to `volume_keeper`"],
    ),
    (BOTH, &["CREATE VIEW foo AS SELECT 1 AS one"], &["view `foo` does not begin with `volume_`"]),
    (
        &[Sqlite],
        &[OWN, "CREATE TRIGGER foo AFTER INSERT ON volume_rows BEGIN SELECT 1; END"],
        &["trigger `foo` of table `volume_rows` does not begin"],
    ),
    (&[Postgres], &["CREATE TYPE mood AS ENUM ('good', 'bad')"], &["type `mood` does not begin with `volume_`"]),
    (&[Postgres], &["CREATE TYPE pair AS (a int, b int)"], &["type `pair` does not begin"]),
    (&[Postgres], &["CREATE DOMAIN positive AS int CHECK (VALUE > 0)"], &["type `positive` does not begin"]),
    (&[Postgres], &["CREATE SEQUENCE numbers"], &["sequence `numbers` does not begin"]),
    (
        &[Postgres],
        &["CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
        &["may not make function `one`", "cannot be checked"],
    ),
    (&[Postgres], &["CREATE MATERIALIZED VIEW foo AS SELECT 1 AS one"], &["materialized view `foo` does not begin"]),
    (&[Postgres], &[OWN, "CREATE STATISTICS foo ON node_id, text FROM volume_rows"], &["statistics object `foo`"]),
    // What ends transactions when it is met.
    (
        &[Sqlite],
        &["CREATE TABLE volume_rows (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)"],
        &["table `volume_rows` with `ROLLBACK`"],
    ),
    (
        &[Sqlite],
        &[OWN, "CREATE TRIGGER volume_t AFTER INSERT ON volume_rows BEGIN SELECT RAISE(ROLLBACK, 'no'); END"],
        &["trigger `volume_t` with `ROLLBACK`"],
    ),
    // What is another's, by way of a view or of a table made anew.
    (
        BOTH,
        &["CREATE VIEW volume_view AS SELECT * FROM other_view"],
        &["view `volume_view` may not refer to view `other_view`, which belongs to `other`"],
    ),
    (
        &[Sqlite],
        &["CREATE VIRTUAL TABLE volume_text USING fts5(text, content='other_rows', content_rowid='id')"],
        &["`volume_text` may not refer to table `other_rows`, which belongs to `other`"],
    ),
    (
        &[Sqlite],
        &["DROP TABLE other_rows", "CREATE TABLE other_rows (id INTEGER PRIMARY KEY, text TEXT)"],
        &["may not drop table `other_rows`, which belongs to `other`"],
    ),
    // Tables of others, changed and dropped.
    (BOTH, &["DROP TABLE notifications"], &["may not drop table `notifications`, which belongs to the core"]),
    (BOTH, &["DROP TABLE other_rows"], &["may not drop table `other_rows`, which belongs to `other`"]),
    (BOTH, &["DROP TABLE other_migrations"], &["may not drop table `other_migrations`, which belongs to `other`"]),
    (
        BOTH,
        &["ALTER TABLE nodes ADD COLUMN volumes TEXT"],
        &["may not change table `nodes`, which belongs to the core"],
    ),
    (
        BOTH,
        &["ALTER TABLE nodes DROP COLUMN os_platform"],
        &["may not change table `nodes`, which belongs to the core"],
    ),
    (
        BOTH,
        &["ALTER TABLE nodes RENAME COLUMN name TO title"],
        &["may not change table `nodes`, which belongs to the core"],
    ),
    (BOTH, &["ALTER TABLE other_rows RENAME TO volume_rows"], &["table `other_rows`", "which belongs to `other`"]),
    (
        BOTH,
        &[OWN, "ALTER TABLE volume_rows RENAME TO rows_of_volume"],
        &["`rows_of_volume` does not begin with `volume_`"],
    ),
    (
        BOTH,
        &["DROP INDEX ix_tasks_status"],
        &["may not drop index `ix_tasks_status` of table `tasks`, which belongs to the core"],
    ),
    (BOTH, &["CREATE INDEX volume_ix ON nodes (name)"], &["may not make index `volume_ix`", OF_NODES]),
    (
        &[Sqlite],
        &["CREATE TRIGGER volume_t AFTER INSERT ON nodes BEGIN SELECT 1; END"],
        &["may not make trigger `volume_t`", OF_NODES],
    ),
    (
        &[Postgres],
        &[
            "CREATE FUNCTION volume_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER volume_t AFTER INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION volume_f()",
        ],
        &["may not make trigger `volume_t`", OF_NODES],
    ),
    (
        &[Postgres],
        &["CREATE RULE volume_r AS ON DELETE TO nodes DO INSTEAD NOTHING"],
        &["may not make rule `volume_r`", OF_NODES],
    ),
    (&[Postgres], &["ALTER TABLE nodes ENABLE ROW LEVEL SECURITY"], &["may not change table `nodes`"]),
    (&[Postgres], &["CREATE POLICY volume_p ON nodes USING (true)"], &["may not change table `nodes`"]),
    (&[Postgres], &["GRANT SELECT ON nodes TO PUBLIC"], &["may not change table `nodes`"]),
    (&[Postgres], &["GRANT SELECT (name) ON nodes TO PUBLIC"], &["may not change table `nodes`"]),
    (&[Postgres], &["ALTER TABLE nodes ALTER COLUMN name SET DEFAULT 'x'"], &["may not change table `nodes`"]),
    (
        &[Postgres],
        &["ALTER TABLE nodes ADD CONSTRAINT volume_c CHECK (name <> 'x')"],
        &["may not change table `nodes`"],
    ),
    (&[Postgres], &["ALTER TABLE nodes SET (fillfactor = 50)"], &["may not change table `nodes`"]),
    (&[Postgres], &["ALTER TABLE nodes RENAME CONSTRAINT nodes_pkey TO volume_pkey"], &["`nodes_pkey"]),
    (&[Postgres], &["ALTER SEQUENCE nodes_id_seq RESTART WITH 500"], &["sequence `nodes_id_seq` of table `nodes`"]),
    // What an own thing may not need.
    (
        BOTH,
        &["CREATE TABLE volume_rows (id INTEGER, node_id BIGINT REFERENCES nodes (id))"],
        &["foreign key", "of table `volume_rows` may not refer to table `nodes`, which belongs to the core"],
    ),
    (
        BOTH,
        &["CREATE TABLE volume_rows (id INTEGER REFERENCES other_rows (id))"],
        &["may not refer to table `other_rows`, which belongs to `other`"],
    ),
    (
        BOTH,
        &[OWN, "ALTER TABLE volume_rows ADD COLUMN n BIGINT REFERENCES nodes (id)"],
        &["may not refer to table `nodes`, which belongs to the core"],
    ),
    (
        &[Postgres],
        &[OWN, "ALTER TABLE volume_rows ADD CONSTRAINT volume_fk FOREIGN KEY (node_id) REFERENCES nodes (id)"],
        &["foreign key `volume_fk` of table `volume_rows` may not refer to table `nodes`"],
    ),
    (
        BOTH,
        &["CREATE VIEW volume_nodes AS SELECT * FROM nodes"],
        &["view `volume_nodes` may not refer to table `nodes`, which belongs to the core"],
    ),
    (
        &[Sqlite],
        &[OWN, "CREATE TRIGGER volume_t AFTER INSERT ON volume_rows BEGIN UPDATE nodes SET name = 'x'; END"],
        &["trigger `volume_t` of table `volume_rows` may not refer to table `nodes`"],
    ),
    (
        &[Postgres],
        &["CREATE TABLE volume_nodes () INHERITS (nodes)"],
        &["table `volume_nodes` may not refer to table `nodes`"],
    ),
    (
        &[Postgres],
        &["CREATE TABLE volume_rows (id bigint DEFAULT nextval('nodes_id_seq'))"],
        &["may not refer to table `nodes`"],
    ),
    (&[Postgres], &["CREATE TABLE volume_rows (node nodes)"], &["may not refer to table `nodes`"]),
    // Rows of others.
    (
        BOTH,
        &["UPDATE releases SET state = 'x'"],
        &["may not change rows of table `releases`, which belongs to the core"],
    ),
    (BOTH, &["DELETE FROM other_rows"], &["may not change rows of table `other_rows`, which belongs to `other`"]),
    (BOTH, &["DELETE FROM other_rows WHERE id = 1"], &["may not change rows of table `other_rows`"]),
    (BOTH, &["INSERT INTO other_rows VALUES (3, 'three')"], &["may not change rows of table `other_rows`"]),
    (
        BOTH,
        &["UPDATE core_migrations SET applied_at = 0"],
        &["may not change rows of table `core_migrations`, which belongs to the core"],
    ),
    (BOTH, &["DELETE FROM migration_checksums"], &["may not change rows of table `migration_checksums`"]),
    (
        BOTH,
        &["DELETE FROM extensions_migration_buffer"],
        &["may not change rows of table `extensions_migration_buffer`"],
    ),
    (
        BOTH,
        &["DELETE FROM extensions_migration_buffer WHERE extension_name = 'other'"],
        &["may not change rows of table `extensions_migration_buffer`"],
    ),
    (
        BOTH,
        &["UPDATE extensions_migration_buffer SET extension_name = 'volume'"],
        &["may not change rows of table `extensions_migration_buffer`"],
    ),
    (
        BOTH,
        &["INSERT INTO extensions_migration_buffer (extension_name, data) VALUES ('other', '{}')"],
        &["may not change rows of table `extensions_migration_buffer`"],
    ),
    (&[Postgres], &["TRUNCATE other_rows"], &["`other_rows`, which belongs to `other`"]),
    // The transaction itself.
    (BOTH, &[OWN, "COMMIT"], &["may not end its transaction"]),
    (BOTH, &[OWN, "ROLLBACK"], &["may not end its transaction"]),
    (BOTH, &[OWN, "ROLLBACK", "CREATE TABLE foo (id INTEGER)"], &["may not end its transaction"]),
    (BOTH, &[OWN, "COMMIT; UPDATE releases SET state = 'x'"], &["may not end its transaction"]),
    (BOTH, &[OWN, "ROLLBACK", "BEGIN", "UPDATE releases SET state = 'x'", "COMMIT"], &["may not end its transaction"]),
    (&[Postgres], &[OWN, "COMMIT AND CHAIN"], &["may not end its transaction"]),
    // The whole database.
    (&[Sqlite], &["PRAGMA user_version = 5"], &["may not touch value `user_version`"]),
    (&[Sqlite], &["ATTACH ':memory:' AS volume_aside"], &["may not touch attached database `volume_aside`"]),
    (&[Postgres], &["CREATE SCHEMA volume_schema"], &["may not touch schema `volume_schema`"]),
    (
        &[Postgres],
        &["CREATE SCHEMA volume_schema", "CREATE TABLE volume_schema.volume_rows (id int)"],
        &["may not touch table `volume_rows`"],
    ),
    (&[Postgres], &["CREATE PUBLICATION volume_p FOR ALL TABLES"], &["may not touch publication"]),
    (
        &[Postgres],
        &["ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"],
        &["may not touch default privileges"],
    ),
    (
        &[Postgres],
        &["DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database()); END $$"],
        &["may not touch setting of the database"],
    ),
    (&[Postgres], &["SET search_path = public, pg_temp"], &["may not touch setting `search_path`"]),
    (&[Postgres], &["SET session_replication_role = replica"], &["may not touch setting `session_replication_role`"]),
    // Several at once are told at once.
    (
        BOTH,
        &[
            "CREATE TABLE foo (id INTEGER)",
            "UPDATE releases SET state = 'x'",
            "ALTER TABLE nodes ADD COLUMN volumes TEXT",
        ],
        &[
            "`volume`: table `foo` does not begin with `volume_`",
            "`volume`: may not change rows of table `releases`",
            "`volume`: may not change table `nodes`",
        ],
    ),
];

#[test]
fn what_is_not_its_own_is_refused_named_and_rolled_back() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let before = everything(&store).await;
        let mut failures = Vec::new();
        for (_, statements, expected) in MISBEHAVIOUR.iter().filter(|(on, ..)| on.contains(&store.dialect())) {
            let text = match up(&store, &volume(statements)).await {
                Ok(_) => "it was not refused".to_owned(),
                Err(error) => told(&error),
            };
            if !text.contains("`volume`") || expected.iter().any(|part| !text.contains(part)) {
                failures.push(format!("{:?} {statements:?}: {text}", store.dialect()));
            }
            let after = everything(&store).await;
            if after != before {
                let new = after.iter().filter(|line| !before.contains(line)).collect::<Vec<_>>();
                let gone = before.iter().filter(|line| !after.contains(line)).collect::<Vec<_>>();
                failures.push(format!("{:?} {statements:?}: not rolled back: {new:?} {gone:?}", store.dialect()));
                break;
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        // Nobody else is the worse for it.
        up(&store, &volume(&[OWN])).await.expect("a migration that keeps to its own");
        store.close().await.expect("it closes");
    });
}

const OWN_BUSINESS: &[(&[DbBackend], &[&str])] = &[
    (
        BOTH,
        &[
            OWN,
            "INSERT INTO volume_rows VALUES (1, 1, 'one')",
            "CREATE INDEX volume_ix ON volume_rows (text)",
            "CREATE TABLE volume_parts (id INTEGER PRIMARY KEY, row_id INTEGER NOT NULL UNIQUE REFERENCES volume_rows (id))",
            "CREATE VIEW volume_nodes AS SELECT node_id AS nodes, text AS releases FROM volume_rows",
            "ALTER TABLE volume_rows ADD COLUMN more TEXT",
            "ALTER TABLE volume_parts RENAME TO volume_pieces",
            "UPDATE volume_rows SET text = 'two'",
            "CREATE TEMPORARY TABLE scratch AS SELECT * FROM nodes",
            "SAVEPOINT mine",
            "DELETE FROM volume_rows",
            "ROLLBACK TO SAVEPOINT mine",
            "DELETE FROM extensions_migration_buffer WHERE extension_name = 'volume'",
        ],
    ),
    (
        &[Sqlite],
        &[
            "CREATE TABLE volume_counted (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE)",
            "INSERT INTO volume_counted (text) VALUES ('one')",
            "CREATE TRIGGER volume_t AFTER INSERT ON volume_counted BEGIN DELETE FROM volume_counted WHERE text = 'nodes'; END",
        ],
    ),
    (
        &[Postgres],
        &[
            "CREATE TYPE volume_mood AS ENUM ('good', 'bad')",
            "CREATE TABLE volume_moods (id bigserial PRIMARY KEY, mood volume_mood, serial bigint GENERATED ALWAYS AS IDENTITY)",
            "CREATE SEQUENCE volume_numbers",
            "INSERT INTO volume_moods (mood) VALUES ('good')",
            "CREATE MATERIALIZED VIEW volume_seen AS SELECT mood FROM volume_moods",
            "ALTER TABLE volume_moods ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY everybody ON volume_moods USING (true)",
            "CREATE RULE nothing AS ON DELETE TO volume_moods DO INSTEAD NOTHING",
            "SET LOCAL work_mem = '8MB'",
            "TRUNCATE volume_moods",
        ],
    ),
];

#[test]
fn its_own_is_an_extension_s_own_business() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let statements: Vec<&str> = OWN_BUSINESS
            .iter()
            .filter(|(on, _)| on.contains(&store.dialect()))
            .flat_map(|(_, statements)| statements.iter().copied())
            .collect();
        let drop = ["DROP VIEW volume_nodes", "DROP TABLE volume_pieces", "DROP TABLE volume_rows"];
        let first = Raw::new("m1", &statements).down(&["SELECT 1"]);
        let second = Raw::new("m2", &[]).down(&drop);
        let migrator = extension("volume", vec![first, second]);
        assert_eq!(up(&store, &migrator).await.unwrap_or_else(|error| panic!("{}", told(&error))), ["m1", "m2"]);
        assert_eq!(lines(&store, "SELECT text AS line FROM volume_rows").await, ["two"]);
        let down = work(&store, &migrator, Work::Down(1), Mode::Keep).await;
        assert_eq!(down.unwrap_or_else(|error| panic!("{}", told(&error))), ["m2"]);
        store.close().await.expect("it closes");
    });
}

#[test]
fn going_down_stands_behind_the_same_fence() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let migrator = extension(
            "volume",
            vec![Raw::new("m1", &[OWN]).down(&["DROP TABLE volume_rows", "DROP TABLE other_rows"])],
        );
        up(&store, &migrator).await.expect("up");
        let before = everything(&store).await;
        let error = work(&store, &migrator, Work::Down(1), Mode::Keep).await.expect_err("it drops what is another's");
        assert!(told(&error).contains("may not drop table `other_rows`, which belongs to `other`"), "{}", told(&error));
        assert_eq!(everything(&store).await, before);
        store.close().await.expect("it closes");
    });
}

#[test]
fn what_a_migration_leaves_in_its_session_reaches_nobody() {
    on_both_stores(async |store| {
        prepare(&store).await;
        let (set, show) = match store.dialect() {
            Postgres => (
                "SET statement_timeout = '1s'",
                "SELECT setting AS line FROM pg_settings WHERE name = 'statement_timeout'",
            ),
            _ => (
                "PRAGMA recursive_triggers = ON",
                "SELECT CAST(recursive_triggers AS TEXT) AS line FROM pragma_recursive_triggers",
            ),
        };
        up(&store, &volume(&[OWN, set])).await.expect("a setting of the session");
        for _ in 0..20 {
            assert_eq!(lines(&store, show).await, ["0"]);
        }
        let tx = store.write().await.expect("a transaction");
        tx.execute_unprepared("INSERT INTO other_rows VALUES (9, 'nine')").await.expect("everybody writes as before");
        tx.commit().await.expect("and commits");
        store.close().await.expect("it closes");
    });
}

#[test]
fn the_list_of_the_core_s_tables_is_what_its_migrations_make() {
    on_both_stores(async |store| {
        up(&store, &core()).await.expect("the core");
        let mut listed = rivetgun_migrations::TABLES.to_vec();
        let made = tables(store.reader()).await.expect("the tables");
        let made: Vec<&str> = made.iter().map(String::as_str).collect();
        listed.sort_unstable();
        assert_eq!(made, listed);
        store.close().await.expect("it closes");
    });
}
