//! Queries of the lines that came out of the work on a task.

use super::{Listed, Page, entity::log_line, stored};
use crate::model::LogStream;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
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
    page.of(of_task, log_line::Column::Id, connection).await?.try_map(|row| {
        Ok(LogLine { time: row.time, node: row.node_id, stream: stored(row.stream.parse())?, line: row.line })
    })
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<log_line::Entity>()
}
