//! What the fence asks SQLite, and what it sets up there.
//!
//! The catalogue is `sqlite_schema`, whose definitions are texts. Rows are watched by temporary triggers on the tables of
//! others, which go before the transaction ends. What views and triggers reach is asked of SQLite itself: a table is
//! renamed in a savepoint, and what mentions it is rewritten.

use super::catalogue::{Catalogue, Object, Reference, RowCount};
use crate::store::{BUFFER, identifier};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement};
use std::collections::BTreeSet;

/// Everything that has a definition or a name; `sqlite_` begins what SQLite makes for itself, but for the indexes of
/// constraints, which are a part of their table's definition.
const OBJECTS: &str = "
SELECT type AS kind, tbl_name AS root, name, coalesce(sql, '') AS digest, 1 AS ownable FROM main.sqlite_schema
WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
UNION ALL
SELECT 'value', 'user_version', 'user_version', CAST(user_version AS TEXT), 0 FROM pragma_user_version
UNION ALL
SELECT 'value', 'application_id', 'application_id', CAST(application_id AS TEXT), 0 FROM pragma_application_id
UNION ALL
SELECT 'attached database', name, name, file, 0 FROM pragma_database_list WHERE name NOT IN ('main', 'temp')";

const SEQUENCES: &str = "
SELECT 'sequence' AS kind, name AS root, name, CAST(seq AS TEXT) AS digest, 1 AS ownable FROM main.sqlite_sequence";

const FOREIGN_KEYS: &str = "
SELECT 'foreign key' AS kind, t.name AS root, group_concat(f.\"from\", ', ') AS name, f.\"table\" AS target
FROM main.sqlite_schema t JOIN pragma_foreign_key_list(t.name) f
WHERE t.type = 'table' GROUP BY t.name, f.id";

const TABLES: &str = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// Watches the rows of the tables that are not the extension's. `is_foreign` tells which.
pub(super) async fn raise(
    tx: &DatabaseTransaction,
    extension: &str,
    is_foreign: impl Fn(&str) -> bool,
) -> Result<(), DbErr> {
    lower(tx).await?;
    let columns = "name TEXT PRIMARY KEY, inserted INTEGER, updated INTEGER, deleted INTEGER";
    tx.execute_unprepared(&format!("CREATE TEMPORARY TABLE rivetgun_rows ({columns})")).await?;
    for (number, table) in tables(tx, is_foreign).await?.iter().enumerate() {
        let (name, value) = (identifier(table), text(table));
        tx.execute_unprepared(&format!("INSERT INTO temp.rivetgun_rows VALUES ({value}, 0, 0, 0)")).await?;
        for (event, column) in [("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted")] {
            // An extension takes its own rows out of the buffer, and those only.
            let when = if table == BUFFER && event == "DELETE" {
                format!("WHEN old.extension_name IS NOT {}", text(extension))
            } else {
                String::new()
            };
            let count = format!("UPDATE rivetgun_rows SET {column} = {column} + 1 WHERE name = {value}");
            tx.execute_unprepared(&format!(
                "CREATE TEMPORARY TRIGGER rivetgun_{column}_{number} AFTER {event} ON main.{name} {when} BEGIN {count}; END"
            ))
            .await?;
        }
    }
    Ok(())
}

/// Takes the watch away again, whatever is left of it.
pub(super) async fn lower(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    lower_triggers(tx).await?;
    tx.execute_unprepared("DROP TABLE IF EXISTS temp.rivetgun_rows").await.map(drop)
}

async fn lower_triggers(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    for row in
        query(tx, "SELECT name FROM temp.sqlite_schema WHERE type = 'trigger' AND name LIKE 'rivetgun\\_%' ESCAPE '\\'")
            .await?
    {
        let name: String = row.try_get("", "name")?;
        tx.execute_unprepared(&format!("DROP TRIGGER temp.{}", identifier(&name))).await?;
    }
    Ok(())
}

/// Whether the transaction that [`raise`] was called in still goes on: what it made would be gone with it.
pub(super) async fn is_raised(tx: &DatabaseTransaction) -> Result<bool, DbErr> {
    let found = query(tx, "SELECT 1 AS one FROM temp.sqlite_schema WHERE name = 'rivetgun_rows'").await?;
    Ok(!found.is_empty())
}

pub(super) async fn catalogue(tx: &DatabaseTransaction) -> Result<Catalogue, DbErr> {
    let mut catalogue = Catalogue::default();
    let mut objects = query(tx, OBJECTS).await?;
    if !query(tx, "SELECT 1 AS one FROM main.sqlite_schema WHERE name = 'sqlite_sequence'").await?.is_empty() {
        objects.extend(query(tx, SEQUENCES).await?);
    }
    for row in objects {
        let object = Object {
            kind: row.try_get("", "kind")?,
            table: row.try_get("", "root")?,
            name: row.try_get("", "name")?,
            digest: row.try_get("", "digest")?,
            can_be_owned: row.try_get("", "ownable")?,
        };
        catalogue.objects.insert(format!("{} {}", object.kind, object.name.to_ascii_lowercase()), object);
    }
    for row in query(tx, FOREIGN_KEYS).await? {
        catalogue.references.insert(Reference {
            kind: row.try_get("", "kind")?,
            table: row.try_get("", "root")?,
            name: row.try_get("", "name")?,
            to_kind: "table".to_owned(),
            to: row.try_get("", "target")?,
        });
    }
    Ok(catalogue)
}

/// What was written to the tables that are watched.
pub(super) async fn rows(tx: &DatabaseTransaction) -> Result<Vec<RowCount>, DbErr> {
    let count = |row: QueryResult| {
        Ok(RowCount {
            table: row.try_get("", "name")?,
            at_home: true,
            inserted: row.try_get("", "inserted")?,
            updated: row.try_get("", "updated")?,
            deleted: row.try_get("", "deleted")?,
        })
    };
    query(tx, "SELECT name, inserted, updated, deleted FROM temp.rivetgun_rows").await?.into_iter().map(count).collect()
}

/// The tables of others whose watch is gone: they were dropped, whatever has their names now.
pub(super) async fn unwatched(tx: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    const UNWATCHED: &str = "SELECT name FROM temp.rivetgun_rows r WHERE
        (SELECT count(*) FROM temp.sqlite_schema t WHERE t.type = 'trigger' AND t.tbl_name = r.name COLLATE NOCASE) < 3";
    query(tx, UNWATCHED).await?.into_iter().map(|row| row.try_get("", "name")).collect()
}

/// Whether a text has this word, as a name or within quotes.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_inside(c)).any(|found| found.eq_ignore_ascii_case(word))
}

/// What views and virtual tables of others these objects mention: SQLite can be asked of tables only.
pub(super) async fn mentioned(
    tx: &DatabaseTransaction,
    objects: &[&Object],
    is_foreign: impl Fn(&str) -> bool,
) -> Result<Vec<Reference>, DbErr> {
    const OTHERS: &str =
        "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut found = Vec::new();
    for row in query(tx, OTHERS).await? {
        let (name, kind): (String, String) = (row.try_get("", "name")?, row.try_get("", "type")?);
        if !is_foreign(&name) {
            continue;
        }
        // A virtual table may have its rows elsewhere, and tells so in its arguments.
        let by_text =
            |object: &&&Object| kind != "table" || object.digest.to_ascii_uppercase().starts_with("CREATE VIRTUAL");
        for object in objects.iter().filter(by_text).filter(|object| mentions(&object.digest, &name)) {
            found.push(Reference {
                kind: object.kind.clone(),
                table: object.table.clone(),
                name: object.name.clone(),
                to_kind: kind.clone(),
                to: name.clone(),
            });
        }
    }
    Ok(found)
}

/// The tables of others that these views and triggers reach.
pub(super) async fn reached(
    tx: &DatabaseTransaction,
    names: &BTreeSet<&str>,
    is_foreign: impl Fn(&str) -> bool,
) -> Result<Vec<Reference>, DbErr> {
    const TEXTS: &str =
        "SELECT type AS kind, tbl_name AS root, name, sql FROM main.sqlite_schema WHERE type IN ('view', 'trigger')";
    // A rename reads everything that mentions a table; the watch has done its work.
    lower_triggers(tx).await?;
    let mut found = Vec::new();
    let texts = |rows: Vec<QueryResult>| -> Result<BTreeSet<(String, String, String, String)>, DbErr> {
        let text = |row: QueryResult| {
            Ok((row.try_get("", "kind")?, row.try_get("", "root")?, row.try_get("", "name")?, row.try_get("", "sql")?))
        };
        rows.into_iter().map(text).collect()
    };
    let before = texts(query(tx, TEXTS).await?)?;
    for table in tables(tx, is_foreign).await? {
        tx.execute_unprepared("SAVEPOINT rivetgun_reached").await?;
        let renamed =
            tx.execute_unprepared(&format!("ALTER TABLE main.{} RENAME TO rivetgun_reached", identifier(&table))).await;
        let after = match renamed {
            Ok(_) => texts(query(tx, TEXTS).await?),
            Err(error) => Err(error),
        };
        tx.execute_unprepared("ROLLBACK TO rivetgun_reached; RELEASE rivetgun_reached").await?;
        // Where a view of anybody is broken SQLite renames nothing; then the texts are looked through.
        let reaches = |text: &&(String, String, String, String)| match &after {
            Ok(after) => !after.contains(*text),
            Err(_) => mentions(&text.3, &table),
        };
        for (kind, root, name, _) in before.iter().filter(reaches).filter(|text| names.contains(text.2.as_str())) {
            found.push(Reference {
                kind: kind.clone(),
                // A trigger stands on its table, and reaches that without harm.
                table: root.clone(),
                name: name.clone(),
                to_kind: "table".to_owned(),
                to: table.clone(),
            });
        }
    }
    Ok(found)
}

async fn tables(tx: &DatabaseTransaction, is_foreign: impl Fn(&str) -> bool) -> Result<Vec<String>, DbErr> {
    let names: Result<Vec<String>, DbErr> =
        query(tx, TABLES).await?.into_iter().map(|row| row.try_get("", "name")).collect();
    Ok(names?.into_iter().filter(|name| is_foreign(name)).collect())
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

async fn query(tx: &DatabaseTransaction, sql: &str) -> Result<Vec<QueryResult>, DbErr> {
    tx.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await
}
