//! What a statement reaches, by its text: the relations that a SQL parser finds in it, and whether it writes.
//!
//! Only statements that read or change rows are taken. All else (schemas, transactions, settings of the connection) is the
//! server's, and what the parser does not understand is refused: nobody could say what it reaches.

use sea_orm::DbBackend;
use sqlparser::{
    ast::{
        Expr, FromTable, Function, Ident, ObjectName, ObjectNamePart, Query, SetExpr, SqliteOnConflict, Statement,
        TableFactor, TableObject, TableWithJoins, VisitMut, VisitorMut,
    },
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
const FUNCTIONS: [&str; 17] = [
    "connectby",
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
    "ts_rewrite",
    "ts_stat",
    "xpath_table",
];
const FUNCTION_PREFIXES: [&str; 10] =
    ["crosstab", "dblink_", "fts3_", "lo_", "loread", "lowrite", "pg_", "pragma_", "sqlite_", "writefile"];
/// What may stand in a FROM with arguments behind it. To the parser `ONLY (nodes)` is a function too.
const TABLE_FUNCTIONS: [&str; 17] = [
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "json_to_recordset",
    "json_tree",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "jsonb_to_recordset",
    "regexp_split_to_table",
    "unnest",
];
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
    let mut walk = Walk::of(backend);
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
struct Walk {
    backend: DbBackend,
    reached: Reached,
    /// The names of common table expressions, by query, from the outermost to where the walk is.
    expressions: Vec<BTreeSet<String>>,
    /// The name in front of arguments is a function's, and is met next.
    function: bool,
}

impl Walk {
    fn of(backend: DbBackend) -> Self {
        Self { backend, reached: Reached::default(), expressions: Vec::new(), function: false }
    }

    /// A name where rows are read: a common table expression that is seen from here, or a relation.
    fn read(&mut self, name: &ObjectName) {
        let is_expression = match name.0.as_slice() {
            [ObjectNamePart::Identifier(only)] => {
                let name = self.folded(only);
                self.expressions.iter().any(|names| names.contains(&name))
            }
            _ => false,
        };
        if !is_expression {
            self.relation(name);
        }
    }

    /// The name of a relation, which no expression hides: it is written to, or has its schema before it.
    fn relation(&mut self, name: &ObjectName) {
        let name = match parts(name).as_deref() {
            Some([relation]) => (*relation).to_owned(),
            // The schema of a PostgreSQL server's tables is not known here.
            Some([schema, relation]) if self.backend == DbBackend::Sqlite && schema.eq_ignore_ascii_case("main") => {
                (*relation).to_owned()
            }
            _ => name.to_string(),
        };
        self.reached.relations.insert(name.to_ascii_lowercase());
    }

    /// An identifier as the database compares it.
    fn folded(&self, identifier: &Ident) -> String {
        match (self.backend, identifier.quote_style) {
            (DbBackend::Postgres, Some(_)) => identifier.value.clone(),
            _ => identifier.value.to_ascii_lowercase(),
        }
    }
}

impl VisitorMut for Walk {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<String> {
        match statement {
            Statement::Query(_) => return ControlFlow::Continue(()),
            Statement::Insert(insert) => {
                if let TableObject::TableName(name) = &insert.table {
                    self.relation(name);
                }
                keeps_the_transaction(insert.or.as_ref())?;
            }
            Statement::Update(update) => {
                self.written(std::slice::from_ref(&update.table));
                keeps_the_transaction(update.or.as_ref())?;
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
                self.written(tables);
            }
            other => return ControlFlow::Break(not_of_rows(other)),
        }
        self.reached.writes = true;
        ControlFlow::Continue(())
    }

    /// Common table expressions are walked here, one by one, since each sees those before it, and itself only where they
    /// are recursive; what is left of the query sees them all.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        self.expressions.push(BTreeSet::new());
        if let Some(with) = query.with.take() {
            let names = with.cte_tables.iter().map(|expression| self.folded(&expression.alias.name));
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
                check_table_function(name)
            }
            TableFactor::Function { name, .. } => check_table_function(name),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<String> {
        if std::mem::take(&mut self.function) {
            return ControlFlow::Continue(());
        }
        self.read(name);
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

    /// The tables that rows are changed in.
    fn written(&mut self, tables: &[TableWithJoins]) {
        for table in tables {
            if let TableFactor::Table { name, args: None, .. } = &table.relation {
                self.relation(name);
            }
        }
    }

    /// What the walk itself does not show: `TABLE x`, and `SELECT … INTO x`, which makes a table.
    fn tables_of(&mut self, body: &SetExpr) -> ControlFlow<String> {
        match body {
            SetExpr::Table(table) => {
                let parts =
                    [&table.schema_name, &table.table_name].into_iter().flatten().map(|part| Ident::new(part.as_str()));
                self.relation(&ObjectName::from(parts.collect::<Vec<_>>()));
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
    let plain = parts(name).and_then(|parts| parts.last().map(|part| part.to_ascii_lowercase())).unwrap_or_default();
    let reaches = FUNCTIONS.iter().any(|function| plain == *function || plain.starts_with(&format!("{function}_and_")))
        || FUNCTIONS.iter().any(|function| plain == format!("{function}schema"))
        || FUNCTION_PREFIXES.iter().any(|prefix| plain.starts_with(prefix));
    if reaches && !HARMLESS.contains(&plain.as_str()) {
        return ControlFlow::Break(format!("calls `{plain}`, which reaches beyond its tables"));
    }
    ControlFlow::Continue(())
}

fn check_table_function(name: &ObjectName) -> ControlFlow<String> {
    let plain = parts(name).and_then(|parts| parts.last().map(|part| part.to_ascii_lowercase())).unwrap_or_default();
    if TABLE_FUNCTIONS.contains(&plain.as_str()) {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(format!("reads from `{plain}(…)`, which may reach beyond its tables"))
}

/// `INSERT OR ROLLBACK` ends the transaction, which is the core's.
fn keeps_the_transaction(or: Option<&SqliteOnConflict>) -> ControlFlow<String> {
    match or {
        Some(SqliteOnConflict::Rollback) => ControlFlow::Break("ends the transaction (`OR ROLLBACK`)".to_owned()),
        _ => ControlFlow::Continue(()),
    }
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
mod tests;
