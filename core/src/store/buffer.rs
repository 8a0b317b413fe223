//! Rows that the core has parked for an extension, and that its migrations take.

use rivetgun_migrations::BUFFER_TABLE;
use sea_orm::{
    ConnectionTrait, DbErr, ExprTrait,
    sea_query::{Expr, Order, Query},
};
use sea_orm_migration::SchemaManager;
use std::collections::BTreeMap;

/// Takes the rows that wait for an extension, in the order in which they were parked, and removes just those.
///
/// A migration of the core parks what it gives up, such as a column that an extension takes over, whether that is
/// installed or not: the rows wait. The extension's first migration makes its table, calls this with its own name, and
/// writes what it gets. A database that never parked anything answers with nothing; the rows of others are out of reach.
///
/// ```
/// use rivetgun::migration::*;
///
/// async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
///     // … the table is made …
///     for row in take_buffered(manager, "volume_manager").await? {
///         let (node_id, volumes) = (row["node_id"].as_i64(), row["volumes"].to_string());
///         let insert = Query::insert()
///             .into_table("volume_manager_volumes")
///             .columns(["node_id", "volumes"])
///             .values_panic([node_id.into(), volumes.into()])
///             .take();
///         manager.execute(insert).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// # Errors
/// What the database says.
pub async fn take_buffered(manager: &SchemaManager<'_>, extension: &str) -> Result<Vec<serde_json::Value>, DbErr> {
    if !manager.has_table(BUFFER_TABLE).await? {
        return Ok(Vec::new());
    }
    let connection = manager.get_connection();
    let wait = || Expr::col("extension_name").eq(extension);
    let select = Query::select().column("data").from(BUFFER_TABLE).and_where(wait()).order_by("id", Order::Asc).take();
    let rows = connection.query_all(&select).await?;
    connection.execute(&Query::delete().from_table(BUFFER_TABLE).and_where(wait()).take()).await?;
    rows.iter().map(|row| Ok(row.try_get::<Option<serde_json::Value>>("", "data")?.unwrap_or_default())).collect()
}

/// How many rows wait for each extension.
pub(crate) async fn buffered(connection: &impl ConnectionTrait) -> Result<BTreeMap<String, i64>, DbErr> {
    let select = Query::select()
        .column("extension_name")
        .expr_as(Expr::col("id").count(), "count")
        .from(BUFFER_TABLE)
        .group_by_col("extension_name")
        .take();
    let rows = connection.query_all(&select).await?;
    rows.iter().map(|row| Ok((row.try_get("", "extension_name")?, row.try_get("", "count")?))).collect()
}
