//! Queries of tasks and of the part of each node in them.

use super::{
    IDS_A_STATEMENT, Listed, Page, ROWS_A_STATEMENT, WriteTx,
    entity::{task, task_node},
    stored, texts,
};
use crate::model::{Task, TaskKind, TaskNode, TaskStatus};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Which tasks are wanted. All conditions must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskFilter {
    pub(crate) cluster: Option<i64>,
    pub(crate) status: Option<TaskStatus>,
}

/// What is decided about a task before it is inserted.
#[derive(Debug)]
pub(crate) struct NewTask {
    pub(crate) cluster: Option<i64>,
    pub(crate) kind: TaskKind,
    pub(crate) parent: Option<i64>,
    pub(crate) dry_run: bool,
    pub(crate) orchestrator: String,
    /// The server that works on it.
    pub(crate) server: Uuid,
    pub(crate) now: DateTime<Utc>,
}

pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    filter: TaskFilter,
    page: &Page,
) -> Result<Listed<Task>, DbErr> {
    let mut select = task::Entity::find();
    if let Some(cluster) = filter.cluster {
        select = select.filter(task::Column::ClusterId.eq(cluster));
    }
    if let Some(status) = filter.status {
        select = select.filter(task::Column::Status.eq(status.as_str()));
    }
    let listed = page.of(select, task::Column::Id, connection).await?.try_map(from_row)?;
    let mut subtasks = subtasks_of(connection, &listed.items.iter().map(|task| task.id).collect::<Vec<_>>()).await?;
    listed.try_map(|mut task| {
        task.subtasks = subtasks.remove(&task.id).unwrap_or_default();
        Ok(task)
    })
}

pub(crate) fn can_order(page: &Page) -> bool {
    page.names_a_column_of::<task::Entity>()
}

pub(crate) async fn find(connection: &impl ConnectionTrait, id: i64) -> Result<Option<Task>, DbErr> {
    let Some(row) = task::Entity::find_by_id(id).one(connection).await? else { return Ok(None) };
    let mut task = from_row(row)?;
    task.subtasks = subtasks_of(connection, &[id]).await?.remove(&id).unwrap_or_default();
    Ok(Some(task))
}

/// How a task stands; nothing where it is gone.
pub(crate) async fn status(connection: &impl ConnectionTrait, id: i64) -> Result<Option<TaskStatus>, DbErr> {
    let select = task::Entity::find_by_id(id).select_only().column(task::Column::Status);
    let status = select.into_tuple::<String>().one(connection).await?;
    status.map(|status| stored(status.parse())).transpose()
}

/// The tasks that a server has not ended.
pub(crate) async fn unfinished_of(connection: &impl ConnectionTrait, server: Uuid) -> Result<Vec<Task>, DbErr> {
    let rows = task::Entity::find()
        .filter(task::Column::ServerId.eq(server))
        .filter(is_unfinished())
        .order_by_asc(task::Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// The tasks of a cluster that have not ended, in the order of their ids: a whole before its parts.
pub(crate) async fn unfinished_in(connection: &impl ConnectionTrait, cluster: i64) -> Result<Vec<Task>, DbErr> {
    let select = task::Entity::find().filter(task::Column::ClusterId.eq(cluster)).filter(is_unfinished());
    let rows = select.order_by_asc(task::Column::Id).all(connection).await?;
    rows.into_iter().map(from_row).collect()
}

/// The parts of a task, in the order of their ids.
pub(crate) async fn parts_of(connection: &impl ConnectionTrait, whole: i64) -> Result<Vec<Task>, DbErr> {
    let select = task::Entity::find().filter(task::Column::ParentId.eq(whole)).order_by_asc(task::Column::Id);
    select.all(connection).await?.into_iter().map(from_row).collect()
}

pub(crate) async fn find_by_uuid(connection: &impl ConnectionTrait, uuid: Uuid) -> Result<Option<Task>, DbErr> {
    task::Entity::find().filter(task::Column::Uuid.eq(uuid)).one(connection).await?.map(from_row).transpose()
}

/// Reads tasks, in the order of their ids, and keeps others from changing them until the transaction ends.
pub(crate) async fn find_all_locked(connection: &impl ConnectionTrait, ids: &[i64]) -> Result<Vec<Task>, DbErr> {
    let these = task::Entity::find().filter(task::Column::Id.is_in(ids.iter().copied()));
    let rows = these.order_by_asc(task::Column::Id).lock_exclusive().all(connection).await?;
    rows.into_iter().map(from_row).collect()
}

/// Notes that the orchestrator has taken on a task.
pub(crate) async fn set_receipt(connection: &impl ConnectionTrait, uuid: Uuid, receipt: &str) -> Result<(), DbErr> {
    let this = task::Entity::update_many().filter(task::Column::Uuid.eq(uuid));
    this.col_expr(task::Column::Receipt, Expr::value(receipt)).exec(connection).await.map(drop)
}

/// How many tasks have not ended.
pub(crate) async fn count_unfinished(connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
    task::Entity::find().filter(is_unfinished()).count(connection).await
}

/// How many tasks there are, by status; those that no task has are left out.
pub(crate) async fn count_by_status(connection: &impl ConnectionTrait) -> Result<Vec<(String, i64)>, DbErr> {
    let counted =
        task::Entity::find().select_only().column(task::Column::Status).column_as(task::Column::Id.count(), "n");
    counted.group_by(task::Column::Status).into_tuple().all(connection).await
}

pub(crate) async fn insert(tx: &WriteTx, new: NewTask, nodes: &[TaskNode]) -> Result<Task, DbErr> {
    let row = task::ActiveModel {
        id: NotSet,
        uuid: Set(Uuid::now_v7()),
        cluster_id: Set(new.cluster),
        name: Set(new.kind.to_string()),
        status: Set(TaskStatus::Pending.to_string()),
        progress: Set(0),
        message: Set(String::new()),
        result: Set(serde_json::json!({})),
        parent_id: Set(new.parent),
        extension: Set(None),
        dry_run: Set(new.dry_run),
        server_id: Set(new.server),
        orchestrator: Set(new.orchestrator),
        receipt: Set(None),
        time_start: Set(new.now),
        time_end: Set(None),
    };
    let task = from_row(row.insert(tx).await?)?;
    tx.journal.created(&task);
    for nodes in nodes.chunks(ROWS_A_STATEMENT) {
        let rows = nodes.iter().map(|node| task_node_row(task.id, node));
        task_node::Entity::insert_many(rows).exec(tx).await?;
    }
    Ok(task)
}

/// Writes what changes of a task while it runs.
pub(crate) async fn update(tx: &WriteTx, task: &Task) -> Result<(), DbErr> {
    // What is given may have been changed step by step; the log tells what was there before all of it.
    if let Some(before) = find(tx, task.id).await? {
        let after = Task { subtasks: before.subtasks.clone(), ..task.clone() };
        if before == after {
            return Ok(());
        }
        tx.journal.updated(&before, &after);
    }
    let row = task::ActiveModel {
        id: Unchanged(task.id),
        cluster_id: Set(task.cluster),
        status: Set(task.status.to_string()),
        progress: Set(task.progress),
        message: Set(task.message.clone()),
        result: Set(task.result.clone()),
        extension: Set(task.extension.clone()),
        time_end: Set(task.time_end),
        ..Default::default()
    };
    row.update(tx).await.map(drop)
}

/// Deletes a task with its parts.
pub(crate) async fn delete(tx: &WriteTx, id: i64) -> Result<(), DbErr> {
    let parts = parts_of(tx, id).await?;
    for task in parts.iter().chain(&find(tx, id).await?) {
        tx.journal.deleted(task);
    }
    task::Entity::delete_by_id(id).exec(tx).await.map(drop)
}

/// The parts of these nodes in a task, in the order of their ids.
pub(crate) async fn nodes_among(
    connection: &impl ConnectionTrait,
    task: i64,
    nodes: &[i64],
) -> Result<Vec<TaskNode>, DbErr> {
    let mut parts = Vec::with_capacity(nodes.len());
    for nodes in nodes.chunks(IDS_A_STATEMENT) {
        let these = task_node::Entity::find()
            .filter(task_node::Column::TaskId.eq(task))
            .filter(task_node::Column::NodeId.is_in(nodes.iter().copied()));
        for row in these.order_by_asc(task_node::Column::NodeId).all(connection).await? {
            parts.push(part_from_row(row)?);
        }
    }
    Ok(parts)
}

/// How far a task is: the mean progress of its nodes, and how many of them are not done.
pub(crate) async fn tally(connection: &impl ConnectionTrait, task: i64) -> Result<(i32, u64), DbErr> {
    let of_task = task_node::Entity::find().filter(task_node::Column::TaskId.eq(task));
    let open = of_task.clone().filter(task_node::Column::Progress.lt(100)).count(connection).await?;
    let sums: Option<(i64, Option<i64>)> = of_task
        .select_only()
        .column_as(task_node::Column::NodeId.count(), "nodes")
        .column_as(task_node::Column::Progress.sum(), "progress")
        .into_tuple()
        .one(connection)
        .await?;
    let (nodes, progress) = sums.unwrap_or_default();
    let mean = progress.unwrap_or_default() / nodes.max(1);
    Ok((i32::try_from(mean).unwrap_or(100), open))
}

/// The parts of the nodes in a task, in the order of their ids.
pub(crate) async fn nodes_of(connection: &impl ConnectionTrait, task: i64) -> Result<Vec<TaskNode>, DbErr> {
    let rows = task_node::Entity::find()
        .filter(task_node::Column::TaskId.eq(task))
        .order_by_asc(task_node::Column::NodeId)
        .all(connection)
        .await?;
    rows.into_iter().map(part_from_row).collect()
}

pub(crate) async fn update_node(connection: &impl ConnectionTrait, task: i64, node: &TaskNode) -> Result<(), DbErr> {
    task_node::Entity::update(task_node_row(task, node)).exec(connection).await.map(drop)
}

/// Notes the roles that are sent for nodes.
pub(crate) async fn set_roles(
    connection: &impl ConnectionTrait,
    task: i64,
    roles: &[(i64, Vec<String>)],
) -> Result<(), DbErr> {
    for (node, roles) in roles.iter().filter(|(_, roles)| !roles.is_empty()) {
        let part = task_node::Entity::update_many()
            .filter(task_node::Column::TaskId.eq(task))
            .filter(task_node::Column::NodeId.eq(*node));
        part.col_expr(task_node::Column::Roles, Expr::value(serde_json::json!(roles))).exec(connection).await?;
    }
    Ok(())
}

fn task_node_row(task: i64, node: &TaskNode) -> task_node::ActiveModel {
    task_node::ActiveModel {
        task_id: Set(task),
        node_id: Set(node.node),
        status: Set(node.status.to_string()),
        progress: Set(node.progress),
        message: Set(node.message.clone()),
        roles: Set(node.roles.clone().into()),
    }
}

fn part_from_row(row: task_node::Model) -> Result<TaskNode, DbErr> {
    let status = stored(row.status.parse())?;
    let roles = texts(&row.roles);
    Ok(TaskNode { node: row.node_id, status, progress: row.progress, message: row.message, roles })
}

fn is_unfinished() -> sea_orm::sea_query::SimpleExpr {
    task::Column::Status.is_in([TaskStatus::Pending.as_str(), TaskStatus::Running.as_str()])
}

async fn subtasks_of(connection: &impl ConnectionTrait, parents: &[i64]) -> Result<BTreeMap<i64, Vec<i64>>, DbErr> {
    let mut subtasks = BTreeMap::<i64, Vec<i64>>::new();
    for parents in parents.chunks(IDS_A_STATEMENT) {
        let rows: Vec<(i64, Option<i64>)> = task::Entity::find()
            .select_only()
            .column(task::Column::Id)
            .column(task::Column::ParentId)
            .filter(task::Column::ParentId.is_in(parents.iter().copied()))
            .order_by_asc(task::Column::Id)
            .into_tuple()
            .all(connection)
            .await?;
        for (id, parent) in rows {
            subtasks.entry(parent.unwrap_or_default()).or_default().push(id);
        }
    }
    Ok(subtasks)
}

fn from_row(row: task::Model) -> Result<Task, DbErr> {
    Ok(Task {
        id: row.id,
        uuid: row.uuid,
        cluster: row.cluster_id,
        name: stored(row.name.parse::<TaskKind>())?,
        status: stored(row.status.parse::<TaskStatus>())?,
        progress: row.progress,
        message: row.message,
        result: row.result,
        parent_id: row.parent_id,
        subtasks: Vec::new(),
        extension: row.extension,
        dry_run: row.dry_run,
        orchestrator: row.orchestrator,
        server: row.server_id,
        receipt: row.receipt,
        time_start: row.time_start,
        time_end: row.time_end,
    })
}
