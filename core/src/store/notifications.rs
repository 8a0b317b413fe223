//! Queries of notifications.

use super::{Journal, Listed, Page, ROWS_A_STATEMENT, WriteTx, entity::notification, stored};
use crate::model::{Notification, NotificationStatus, Topic};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
};

/// A notification before it is inserted.
#[derive(Debug, Clone)]
pub(crate) struct NewNotification {
    pub(crate) topic: Topic,
    pub(crate) message: String,
    pub(crate) time: DateTime<Utc>,
    pub(crate) cluster: Option<i64>,
    pub(crate) node: Option<i64>,
    pub(crate) task: Option<i64>,
    pub(crate) extension: Option<String>,
}

pub(crate) async fn insert(tx: &WriteTx, new: NewNotification) -> Result<(), DbErr> {
    insert_with(&**tx, &tx.journal, new).await
}

/// Inserts a notification through a savepoint, with the journal of that.
pub(crate) async fn insert_with(
    connection: &impl ConnectionTrait,
    journal: &Journal,
    new: NewNotification,
) -> Result<(), DbErr> {
    let notification = from_row(to_row(new).insert(connection).await?)?;
    journal.created(&notification);
    Ok(())
}

pub(crate) async fn insert_all(tx: &WriteTx, new: Vec<NewNotification>) -> Result<(), DbErr> {
    let mut rows = new.into_iter().map(to_row).peekable();
    while rows.peek().is_some() {
        let some = rows.by_ref().take(ROWS_A_STATEMENT);
        for row in notification::Entity::insert_many(some).exec_with_returning(tx).await? {
            tx.journal.created(&from_row(row)?);
        }
    }
    Ok(())
}

fn to_row(new: NewNotification) -> notification::ActiveModel {
    notification::ActiveModel {
        id: NotSet,
        topic: Set(new.topic.to_string()),
        message: Set(new.message),
        status: Set(NotificationStatus::Unread.to_string()),
        time: Set(new.time),
        cluster_id: Set(new.cluster),
        node_id: Set(new.node),
        task_id: Set(new.task),
        extension: Set(new.extension),
    }
}

pub(crate) async fn list(connection: &impl ConnectionTrait, page: &Page) -> Result<Listed<Notification>, DbErr> {
    page.of(notification::Entity::find(), notification::Column::Id, connection).await?.try_map(from_row)
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<notification::Entity>()
}

/// How many there are, and how many of them nobody has read.
pub(crate) async fn count(connection: &impl ConnectionTrait) -> Result<(u64, u64), DbErr> {
    let total = notification::Entity::find().count(connection).await?;
    let unread = notification::Entity::find()
        .filter(notification::Column::Status.eq(NotificationStatus::Unread.as_str()))
        .count(connection)
        .await?;
    Ok((total, unread))
}

/// Marks a notification; `None` when there is none of this id.
pub(crate) async fn set_status(
    tx: &WriteTx,
    id: i64,
    status: NotificationStatus,
) -> Result<Option<Notification>, DbErr> {
    let Some(row) = notification::Entity::find_by_id(id).lock_exclusive().one(tx).await? else { return Ok(None) };
    let before = from_row(row)?;
    let row = notification::ActiveModel { id: Unchanged(id), status: Set(status.to_string()), ..Default::default() };
    let after = from_row(row.update(tx).await?)?;
    if before != after {
        tx.journal.updated(&before, &after);
    }
    Ok(Some(after))
}

fn from_row(row: notification::Model) -> Result<Notification, DbErr> {
    Ok(Notification {
        id: row.id,
        topic: stored(row.topic.parse::<Topic>())?,
        message: row.message,
        status: stored(row.status.parse::<NotificationStatus>())?,
        time: row.time,
        cluster: row.cluster_id,
        node: row.node_id,
        task: row.task_id,
        extension: row.extension,
    })
}
