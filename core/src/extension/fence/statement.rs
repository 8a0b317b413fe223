//! What a statement reaches, by its text: the relations that a SQL parser finds in it, and whether it writes.
//!
//! Only statements that read or change rows are taken. All else (schemas, transactions, settings of the connection) is the
//! server's, and what the parser does not understand is refused: nobody could say what it reaches.

use sea_orm::DbBackend;
use sqlparser::{
    ast::{Expr, Function, ObjectName, ObjectNamePart, Query, SetExpr, Statement, TableFactor, VisitMut, VisitorMut},
    dialect::{Dialect, PostgreSqlDialect, SQLiteDialect},
    parser::Parser,
    tokenizer::{Token, Tokenizer},
};
use std::{collections::BTreeSet, ops::ControlFlow};

/// What a text of one or more statements does.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// The names of tables and views, in lower case.
    pub(super) relations: BTreeSet<String>,
    /// Whether rows are changed.
    pub(super) writes: bool,
}

/// Chains of operators are deep trees to the parser, and trees are taken down on the stack.
const MOST_OPERATORS: usize = 1_000;

/// Functions that reach relations by a text, or the machine behind the database.
const FUNCTIONS: [&str; 16] = [
    "connectby",
    "crosstab",
    "current_setting",
    "cursor_to_xml",
    "database_to_xml",
    "dblink",
    "edit",
    "load_extension",
    "nextval",
    "query_to_xml",
    "readfile",
    "schema_to_xml",
    "set_config",
    "setval",
    "table_to_xml",
    "ts_stat",
];
const FUNCTION_PREFIXES: [&str; 7] = ["dblink_", "fts3_", "lo_", "pg_", "pragma_", "sqlite_", "writefile"];
/// Of those with a prefix, these are harmless.
const HARMLESS: [&str; 3] = ["pg_sleep", "pg_typeof", "sqlite_version"];

/// Finds out what `sql` reaches.
///
/// # Errors
/// Why it is refused whatever it reaches, for the author.
pub(super) fn reached(backend: DbBackend, sql: &str) -> Result<Reached, String> {
    let dialect: &dyn Dialect = match backend {
        DbBackend::Postgres => &PostgreSqlDialect {},
        _ => &SQLiteDialect {},
    };
    let unreadable = |error: &dyn std::fmt::Display| format!("cannot be understood, and so not be checked ({error})");
    let tokens = Tokenizer::new(dialect, sql).tokenize().map_err(|error| unreadable(&error))?;
    if tokens.iter().filter(|token| is_operator(token)).count() > MOST_OPERATORS {
        return Err(format!("has more than {MOST_OPERATORS} operators: split it, or write a list as `IN (…)`"));
    }
    let mut statements =
        Parser::new(dialect).with_tokens(tokens).parse_statements().map_err(|error| unreadable(&error))?;
    let mut walk = Walk::default();
    match statements.visit(&mut walk) {
        ControlFlow::Continue(()) => Ok(walk.reached),
        ControlFlow::Break(refused) => Err(refused),
    }
}

/// Whether a token makes an expression deeper without brackets, which the parser counts itself.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none()
                && ["and", "or", "not", "is", "union", "except", "intersect", "join", "collate"]
                    .iter()
                    .any(|keyword| word.value.eq_ignore_ascii_case(keyword))
        }
        Token::Whitespace(_) | Token::Comma | Token::LParen | Token::RParen | Token::Period | Token::SemiColon => false,
        Token::Number(..) | Token::Placeholder(_) | Token::SingleQuotedString(_) | Token::EOF => false,
        _ => true,
    }
}

/// Walks the tree of a statement, and takes note of names on the way.
#[derive(Default)]
struct Walk {
    reached: Reached,
    /// The names of common table expressions, by query, from the outermost to where the walk is.
    expressions: Vec<BTreeSet<String>>,
    /// The name in front of arguments is a function's, and is met next.
    function: bool,
}

impl Walk {
    fn relation(&mut self, name: &str) {
        let name = name.to_lowercase();
        if !self.expressions.iter().any(|names| names.contains(&name)) {
            self.reached.relations.insert(name);
        }
    }
}

impl VisitorMut for Walk {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<String> {
        match statement {
            Statement::Query(_) => {}
            Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => self.reached.writes = true,
            other => return ControlFlow::Break(not_of_rows(other)),
        }
        ControlFlow::Continue(())
    }

    /// Common table expressions are walked here, one by one, since each sees those before it, and itself only where they
    /// are recursive; what is left of the query sees them all.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        self.expressions.push(BTreeSet::new());
        if let Some(with) = query.with.take() {
            let names = with.cte_tables.iter().map(|expression| expression.alias.name.value.to_lowercase());
            let names: Vec<String> = names.collect();
            if with.recursive {
                self.see(names.iter().cloned());
            }
            for (mut expression, name) in with.cte_tables.into_iter().zip(names) {
                expression.query.visit(self)?;
                self.see([name]);
            }
        }
        self.tables_of(&query.body)
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<String> {
        self.expressions.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } => {
                self.function = true;
                check_function(name)
            }
            TableFactor::Function { name, .. } => check_function(name),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<String> {
        if std::mem::take(&mut self.function) {
            return ControlFlow::Continue(());
        }
        match parts(name).as_deref() {
            Some([relation]) => self.relation(relation),
            Some([schema, relation]) if ["public", "main"].contains(&schema.to_lowercase().as_str()) => {
                self.relation(relation);
            }
            _ => self.relation(&name.to_string()),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<String> {
        match expression {
            Expr::Function(Function { name, .. }) => check_function(name),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Walk {
    fn see(&mut self, names: impl IntoIterator<Item = String>) {
        if let Some(visible) = self.expressions.last_mut() {
            visible.extend(names);
        }
    }

    /// What the walk itself does not show: `TABLE x`, and `SELECT … INTO x`, which makes a table.
    fn tables_of(&mut self, body: &SetExpr) -> ControlFlow<String> {
        match body {
            SetExpr::Table(table) => {
                let parts = [&table.schema_name, &table.table_name];
                let name = parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(".");
                self.relation(&name);
                ControlFlow::Continue(())
            }
            SetExpr::Select(select) if select.into.is_some() => {
                ControlFlow::Break("makes a table (`INTO`): only a migration does that".to_owned())
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.tables_of(left)?;
                self.tables_of(right)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The identifiers of a name, where it is made of nothing else.
fn parts(name: &ObjectName) -> Option<Vec<&str>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(identifier) => Some(identifier.value.as_str()),
            ObjectNamePart::Function(_) => None,
        })
        .collect()
}

fn check_function(name: &ObjectName) -> ControlFlow<String> {
    let plain = parts(name).and_then(|parts| parts.last().map(|part| part.to_lowercase())).unwrap_or_default();
    let reaches = FUNCTIONS.iter().any(|function| plain == *function || plain.starts_with(&format!("{function}_and_")))
        || FUNCTIONS.iter().any(|function| plain == format!("{function}schema"))
        || FUNCTION_PREFIXES.iter().any(|prefix| plain.starts_with(prefix));
    if reaches && !HARMLESS.contains(&plain.as_str()) {
        return ControlFlow::Break(format!("calls `{plain}`, which reaches beyond its tables"));
    }
    ControlFlow::Continue(())
}

fn not_of_rows(statement: &Statement) -> String {
    let text = statement.to_string();
    let verb: String = text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    format!(
        "is `{verb} …`; run SELECT, INSERT, UPDATE and DELETE only: tables are made by migrations, and transactions and \
         settings of the connection are the server's"
    )
}

#[cfg(test)]
mod tests {
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
                (
                    "SELECT * FROM a, \"B\" AS x JOIN main.c ON x.id = c.id LEFT JOIN (SELECT * FROM d) e ON TRUE",
                    "a b c d",
                ),
                (
                    "SELECT (SELECT max(id) FROM a) FROM b WHERE EXISTS (SELECT 1 FROM c) ORDER BY (SELECT 1 FROM d)",
                    "a b c d",
                ),
                ("SELECT 1 FROM a UNION ALL SELECT 2 FROM b EXCEPT SELECT 3 FROM c", "a b c"),
                ("INSERT INTO a (x) VALUES ((SELECT y FROM b)) RETURNING (SELECT 1 FROM c)", "a b c !"),
                ("INSERT INTO a SELECT * FROM b ON CONFLICT (id) DO UPDATE SET x = (SELECT 1 FROM c)", "a b c !"),
                ("UPDATE a SET x = b.y FROM b WHERE a.id IN (SELECT id FROM c)", "a b c !"),
                ("DELETE FROM a WHERE id IN (SELECT id FROM b) RETURNING id", "a b !"),
                (
                    "SELECT count(*) FILTER (WHERE x IN (SELECT 1 FROM a)) OVER (ORDER BY (SELECT 1 FROM b)) FROM c",
                    "a b c",
                ),
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
                ("WITH x AS (SELECT 1) SELECT (SELECT 1 FROM x) FROM a WHERE id IN (SELECT id FROM x)", "a"),
            ] {
                assert_eq!(relations(backend, sql), expected, "{backend:?} {sql}");
            }
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
        ] {
            assert!(refused(Postgres, sql).contains("reaches beyond"), "{sql}");
        }
        for sql in ["SELECT load_extension('x')", "SELECT * FROM pragma_table_info('nodes')"] {
            assert!(refused(Sqlite, sql).contains("reaches beyond"), "{sql}");
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
}
