//! Queries of what tasks sent.

use super::entity::sent_document;
use crate::model::SentDocument;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// A statement holds all of its documents.
const DOCUMENTS_A_STATEMENT: usize = 200;

/// Keeps the documents of a task.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    task: i64,
    documents: &[SentDocument],
) -> Result<(), DbErr> {
    for documents in documents.chunks(DOCUMENTS_A_STATEMENT) {
        let rows = documents.iter().map(|sent| sent_document::ActiveModel {
            id: NotSet,
            task_id: Set(task),
            node_id: Set(sent.node),
            sha256: Set(sent.sha256.clone()),
            document: Set(sent.document.clone()),
        });
        sent_document::Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// Whether a task has documents.
pub(crate) async fn is_kept(connection: &impl ConnectionTrait, task: i64) -> Result<bool, DbErr> {
    let of_task = sent_document::Entity::find().filter(sent_document::Column::TaskId.eq(task));
    Ok(of_task
        .select_only()
        .column(sent_document::Column::Id)
        .limit(1)
        .into_tuple::<i64>()
        .one(connection)
        .await?
        .is_some())
}

/// The documents of a task: the one that all nodes share, then those of the nodes, in the order of their ids.
pub(crate) async fn of_task(connection: &impl ConnectionTrait, task: i64) -> Result<Vec<SentDocument>, DbErr> {
    let of_task = sent_document::Entity::find().filter(sent_document::Column::TaskId.eq(task));
    let rows = of_task.order_by_asc(sent_document::Column::Id).all(connection).await?;
    let sent =
        |row: sent_document::Model| SentDocument { node: row.node_id, sha256: row.sha256, document: row.document };
    Ok(rows.into_iter().map(sent).collect())
}
