//! Queries of the lines that came out of the work on a task.

use super::{Listed, Page, entity::log_line, stored};
use crate::model::LogStream;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Serialize;
use utoipa::ToSchema;

/// One line of a task's log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LogLine {
    /// When it was written.
    pub(crate) time: DateTime<Utc>,
    /// The node that was worked on, where it was one.
    pub(crate) node: Option<i64>,
    /// Where it comes from.
    pub(crate) stream: LogStream,
    /// The line itself.
    pub(crate) line: String,
}

/// Adds lines to the log of a task, which the caller keeps locked: so the ids of a log become visible in their order, and
/// who has read up to one has missed none before it.
pub(crate) async fn insert(connection: &impl ConnectionTrait, task: i64, lines: Vec<LogLine>) -> Result<(), DbErr> {
    let rows = lines.into_iter().map(|line| log_line::ActiveModel {
        id: NotSet,
        task_id: Set(task),
        node_id: Set(line.node),
        time: Set(line.time),
        stream: Set(line.stream.to_string()),
        line: Set(line.line),
    });
    log_line::Entity::insert_many(rows).exec(connection).await.map(drop)
}

pub(crate) async fn list(connection: &impl ConnectionTrait, task: i64, page: &Page) -> Result<Listed<LogLine>, DbErr> {
    let of_task = log_line::Entity::find().filter(log_line::Column::TaskId.eq(task));
    page.of(of_task, log_line::Column::Id, connection).await?.try_map(from_row)
}

/// The first lines after this one, with their ids.
pub(crate) async fn after(
    connection: &impl ConnectionTrait,
    task: i64,
    after: i64,
    limit: u64,
) -> Result<Vec<(i64, LogLine)>, DbErr> {
    let later =
        log_line::Entity::find().filter(log_line::Column::TaskId.eq(task)).filter(log_line::Column::Id.gt(after));
    let rows = later.order_by_asc(log_line::Column::Id).limit(limit).all(connection).await?;
    rows.into_iter().map(|row| Ok((row.id, from_row(row)?))).collect()
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<log_line::Entity>()
}

fn from_row(row: log_line::Model) -> Result<LogLine, DbErr> {
    Ok(LogLine { time: row.time, node: row.node_id, stream: stored(row.stream.parse())?, line: row.line })
}
