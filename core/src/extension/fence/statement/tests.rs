//! What statements reach, through one `relations` and one `refused`.

use super::reached;
use sea_orm::DatabaseBackend::{self as DbBackend, Postgres, Sqlite};

const BOTH: [DbBackend; 2] = [Sqlite, Postgres];

#[track_caller]
fn relations(backend: DbBackend, sql: &str) -> String {
    let reached = reached(backend, sql).unwrap_or_else(|refused| panic!("{sql}: {refused}"));
    let names = reached.relations.into_iter().collect::<Vec<_>>().join(" ");
    if reached.writes { format!("{names} !") } else { names }
}

#[track_caller]
fn refused(backend: DbBackend, sql: &str) -> String {
    reached(backend, sql).expect_err(sql)
}

#[test]
fn every_place_that_names_a_relation_is_found() {
    for backend in BOTH {
        for (sql, expected) in [
            ("SELECT 1", ""),
            ("SELECT * FROM a, \"B\" AS x JOIN c ON x.id = c.id LEFT JOIN (SELECT * FROM d) e ON TRUE", "a b c d"),
            (
                "SELECT (SELECT max(id) FROM a) FROM b WHERE EXISTS (SELECT 1 FROM c) ORDER BY (SELECT 1 FROM d)",
                "a b c d",
            ),
            ("SELECT 1 FROM a UNION ALL SELECT 2 FROM b EXCEPT SELECT 3 FROM c", "a b c"),
            ("INSERT INTO a (x) VALUES ((SELECT y FROM b)) RETURNING (SELECT 1 FROM c)", "a b c !"),
            ("INSERT INTO a SELECT * FROM b ON CONFLICT (id) DO UPDATE SET x = (SELECT 1 FROM c)", "a b c !"),
            ("UPDATE a SET x = b.y FROM b WHERE a.id IN (SELECT id FROM c)", "a b c !"),
            ("DELETE FROM a WHERE id IN (SELECT id FROM b) RETURNING id", "a b !"),
            ("SELECT count(*) FILTER (WHERE x IN (SELECT 1 FROM a)) OVER (ORDER BY (SELECT 1 FROM b)) FROM c", "a b c"),
            ("SELECT CASE WHEN x THEN (SELECT 1 FROM a) ELSE 2 END FROM b LIMIT (SELECT 1 FROM c)", "a b c"),
            ("SELECT 1 FROM a; DELETE FROM b", "a b !"),
            ("VALUES ((SELECT 1 FROM a))", "a"),
        ] {
            assert_eq!(relations(backend, sql), expected, "{backend:?} {sql}");
        }
    }
    assert_eq!(relations(Postgres, "DELETE FROM a USING b WHERE a.id = b.id"), "a b !");
    assert_eq!(relations(Sqlite, "SELECT * FROM 'a', [b], `c`"), "a b c");
    assert_eq!(relations(Postgres, "SELECT 1 FROM x UNION TABLE a"), "a x");
    assert_eq!(relations(Postgres, "WITH gone AS (DELETE FROM a RETURNING *) SELECT * FROM gone"), "a !");
    assert_eq!(relations(Postgres, "SELECT * FROM a, LATERAL (SELECT * FROM b) x"), "a b");
    // The parser takes `ONLY` for a name; it is nobody's, and the statement is refused.
    assert_eq!(relations(Postgres, "SELECT * FROM ONLY a"), "only");
    assert_eq!(relations(Postgres, "SELECT * FROM pg_catalog.pg_class"), "pg_catalog.pg_class");
}

#[test]
fn a_common_table_expression_is_no_relation_where_it_is_seen_and_one_where_it_is_not() {
    for backend in BOTH {
        for (sql, expected) in [
            ("WITH x AS (SELECT * FROM a) SELECT * FROM x", "a"),
            ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "a"),
            ("WITH x AS (SELECT 1), y AS (SELECT * FROM x) SELECT * FROM y", ""),
            ("WITH x AS (SELECT * FROM y), y AS (SELECT 1) SELECT * FROM x, y", "y"),
            ("WITH RECURSIVE x AS (SELECT 1 UNION SELECT * FROM x) SELECT * FROM X", ""),
            ("SELECT * FROM a WHERE EXISTS (WITH a AS (SELECT 1) SELECT * FROM a)", "a"),
            ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) b, a", "a"),
            ("WITH nodes AS (SELECT 1) UPDATE nodes SET name = 'x'", "nodes !"),
            ("WITH nodes AS (SELECT 1) DELETE FROM nodes", "nodes !"),
            ("WITH nodes AS (SELECT 1) INSERT INTO nodes (x) SELECT * FROM nodes", "nodes !"),
            ("WITH x AS (SELECT 1) SELECT (SELECT 1 FROM x) FROM a WHERE id IN (SELECT id FROM x)", "a"),
        ] {
            assert_eq!(relations(backend, sql), expected, "{backend:?} {sql}");
        }
    }
}

#[test]
fn a_common_table_expression_hides_what_the_database_would_not() {
    // Names are folded as the database folds them: what differs there is another name here.
    assert_eq!(relations(Postgres, "WITH \"NODES\" AS (SELECT 1) SELECT * FROM nodes"), "nodes");
    assert_eq!(relations(Postgres, "WITH Nodes AS (SELECT 1) SELECT * FROM NODES"), "");
    assert_eq!(relations(Sqlite, "WITH \"NODES\" AS (SELECT 1) SELECT * FROM nodes"), "");
    for backend in BOTH {
        assert_eq!(relations(backend, "WITH \"TAS\u{212a}S\" AS (SELECT 1) SELECT * FROM tasks"), "tasks");
    }
    assert_eq!(relations(Sqlite, "WITH nodes AS (SELECT 1) SELECT * FROM main.nodes"), "nodes");
    refused(Postgres, "SELECT * FROM ONLY (nodes)");
    refused(Postgres, "DELETE FROM ONLY (nodes)");
    assert_eq!(relations(Postgres, "WITH nodes AS (SELECT 1) SELECT * FROM public.nodes"), "public.nodes");
}

#[test]
fn a_transaction_is_not_ended_by_a_conflict() {
    for sql in ["INSERT OR ROLLBACK INTO a (x) VALUES (1)", "UPDATE OR ROLLBACK a SET x = 1"] {
        assert!(refused(Sqlite, sql).contains("ends the transaction"), "{sql}");
    }
}

#[test]
fn the_sql_that_people_write_is_understood() {
    for sql in [
        "SELECT DISTINCT x, count(*) AS n FROM a WHERE y LIKE '%b' ESCAPE '\\' GROUP BY x HAVING count(*) > 1 ORDER BY n DESC LIMIT 3 OFFSET 4",
        "SELECT row_number() OVER (PARTITION BY x ORDER BY y ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM a",
        "SELECT COALESCE(x, $1), CASE x WHEN 1 THEN 'a' ELSE NULL END, CAST(x AS TEXT), x IS NOT NULL, -x, x || 'b' FROM a",
        "SELECT x FROM a WHERE (x, y) IN (SELECT x, y FROM a) AND x NOT BETWEEN 1 AND 2 AND NOT EXISTS (SELECT 1 FROM a)",
        "SELECT x FROM a WHERE y -> 'b' IS NOT NULL AND y ->> 'c' = 'd'",
        "INSERT INTO a (x, y) VALUES ($1, $2), ($3, $4) ON CONFLICT (x) DO NOTHING",
        "INSERT INTO a (x) VALUES ($1) ON CONFLICT (x) DO UPDATE SET y = excluded.y WHERE a.y <> excluded.y RETURNING *",
        "INSERT INTO a DEFAULT VALUES",
        "UPDATE a SET x = x + 1, y = (SELECT max(y) FROM a) WHERE id = $3 RETURNING id",
        "DELETE FROM a AS z WHERE z.x IS NULL",
        "SELECT CURRENT_TIMESTAMP, TRUE, x'00ff' FROM a -- the end",
    ] {
        for backend in BOTH {
            relations(backend, sql);
        }
    }
    for sql in [
        "SELECT x FROM a FOR UPDATE SKIP LOCKED",
        "SELECT DISTINCT ON (x) x, y FROM a ORDER BY x, y DESC NULLS LAST",
        "SELECT x FROM a WHERE x = ANY($1) AND y @> $2::jsonb AND y ? 'k' AND y #>> '{b,c}' ILIKE 'd%' AND x ~* '^e'",
        "SELECT extract(epoch FROM t), t AT TIME ZONE 'UTC', now() - INTERVAL '1 day', date_trunc('day', t) FROM a",
        "SELECT array_agg(x ORDER BY y), string_agg(x, ','), ARRAY[1, 2], (y).z FROM a, unnest(ARRAY[1]) WITH ORDINALITY u",
        "SELECT jsonb_build_object('a', x), $$dollar 'quoted'$$, E'tab\\t' FROM a GROUP BY ROLLUP (x)",
        "WITH moved AS (DELETE FROM a WHERE x < 3 RETURNING *) INSERT INTO a SELECT * FROM moved",
    ] {
        relations(Postgres, sql);
    }
    for sql in [
        "INSERT OR REPLACE INTO a (x) VALUES (1)",
        "REPLACE INTO a (x) VALUES (?), (?2)",
        "SELECT rowid, strftime('%s', t), x GLOB 'b*', json_extract(y, '$.c') FROM a",
        "SELECT x FROM a WHERE x = ?1 COLLATE NOCASE",
    ] {
        relations(Sqlite, sql);
    }
}

#[test]
fn table_functions_are_functions() {
    assert_eq!(relations(Sqlite, "SELECT value FROM a, json_each(a.list)"), "a");
    assert_eq!(relations(Postgres, "SELECT * FROM generate_series(1, 3) n, jsonb_array_elements('[]') e, a"), "a");
}

#[test]
fn what_is_not_about_rows_is_refused() {
    for sql in [
        "DROP TABLE a",
        "CREATE TABLE a (id INT)",
        "ALTER TABLE a ADD COLUMN x INT",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "SAVEPOINT x",
        "RELEASE SAVEPOINT x",
        "SELECT 1; COMMIT",
    ] {
        for backend in BOTH {
            assert!(refused(backend, sql).contains("SELECT, INSERT, UPDATE and DELETE only"), "{sql}");
        }
    }
    for sql in ["PRAGMA foreign_keys = OFF", "ATTACH DATABASE 'x' AS y", "VACUUM", "SELECT 1 WHERE 5 IN nodes"] {
        refused(Sqlite, sql);
    }
    for sql in [
        "TRUNCATE a",
        "SET search_path = x",
        "SET ROLE postgres",
        "COPY a TO PROGRAM 'sh'",
        "LOCK TABLE a",
        "DO $$ BEGIN DELETE FROM nodes; END $$",
        "CALL x()",
        "EXECUTE x",
        "PREPARE x AS DELETE FROM nodes",
        "EXPLAIN ANALYZE DELETE FROM nodes",
        "NOTIFY x",
        "SELECT * INTO x FROM a",
        "GRANT ALL ON a TO PUBLIC",
        "TABLE nodes",
        "MERGE INTO a USING b ON TRUE WHEN MATCHED THEN DELETE",
        "SELECT * FROM U&\"\\006eodes\"",
    ] {
        refused(Postgres, sql);
    }
}

#[test]
fn functions_that_reach_relations_by_a_text_are_refused() {
    for sql in [
        "SELECT query_to_xml('SELECT * FROM nodes', true, true, '')",
        "SELECT query_to_xml_and_xmlschema('SELECT 1', true, true, '')",
        "SELECT table_to_xmlschema('nodes', true, true, '')",
        "SELECT pg_catalog.pg_read_file('/etc/passwd')",
        "SELECT * FROM dblink('x', 'SELECT 1') AS t(a INT)",
        "SELECT * FROM \"pg_ls_dir\"('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT set_config('role', 'x', false)",
        "SELECT setval('nodes_id_seq', 1)",
        "SELECT pg_terminate_backend(1)",
        "SELECT ts_rewrite('a'::tsquery, 'SELECT 1')",
        "SELECT crosstab2('SELECT 1')",
        "SELECT loread(1, 2)",
    ] {
        assert!(refused(Postgres, sql).contains("beyond"), "{sql}");
    }
    for sql in ["SELECT load_extension('x')", "SELECT * FROM pragma_table_info('nodes')"] {
        assert!(refused(Sqlite, sql).contains("beyond"), "{sql}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_and_never_a_panic() {
    for backend in BOTH {
        for sql in ["SELEKT 1", "SELECT 'open", "SELECT * FROM", "\u{0}", "SELECT ((((("] {
            refused(backend, sql);
        }
        let deep = format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000));
        refused(backend, &deep);
        let long = format!("SELECT {}", vec!["1"; 500_000].join("+"));
        assert!(refused(backend, &long).contains("operators"));
        let list = format!("SELECT * FROM a WHERE id IN ({})", vec!["$1"; 30_000].join(", "));
        assert_eq!(relations(backend, &list), "a");
        let chain = format!("SELECT * FROM a WHERE {}", vec!["x = 1"; 450].join(" OR "));
        assert_eq!(relations(backend, &chain), "a");
    }
}
