//! Data that the core gives up wait in the buffer table for the extension that takes them over, installed or not.

use crate::BUFFER_TABLE;
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, prelude::Json},
};

/// How many rows one statement writes: SQLite takes 32766 values, PostgreSQL 65535.
const ROWS_AT_ONCE: usize = 1000;

/// Parks rows for an extension, in this order. Its migrations take them, at once or when it is installed one day.
///
/// # Errors
/// What the database says.
pub async fn park(
    manager: &SchemaManager<'_>,
    extension: &str,
    rows: impl IntoIterator<Item = Json>,
) -> Result<(), DbErr> {
    let rows: Vec<Json> = rows.into_iter().collect();
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let mut insert = Query::insert().into_table(BUFFER_TABLE).columns(["extension_name", "data"]).take();
        for row in rows {
            insert.values_panic([extension.into(), row.clone().into()]);
        }
        manager.get_connection().execute(&insert).await?;
    }
    Ok(())
}
