//! Queries of the event log.

use super::{
    budget,
    entity::{event, event_delivery, event_mark},
    locks::Lock,
};
use crate::model::{Alternative, Event, Filter, NewEvent, Part, Word};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, OnConflict, Query, SelectStatement, SimpleExpr},
};
use serde_json::value::RawValue;
use std::ops::RangeInclusive;

/// A statement holds all of its events.
const EVENTS_A_STATEMENT: usize = 500;

/// Writes events at the end of the log. The transaction must commit next: others wait for it.
pub(super) async fn append(connection: &impl ConnectionTrait, told: Vec<NewEvent>) -> Result<(), DbErr> {
    if told.is_empty() {
        return Ok(());
    }
    Lock::Log.take(connection).await?;
    let mut rows = told.into_iter().map(to_row).peekable();
    while rows.peek().is_some() {
        let some = rows.by_ref().take(EVENTS_A_STATEMENT);
        event::Entity::insert_many(some).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// The mark up to which, here and there, events are forgotten.
const FORGOTTEN: &str = "forgotten";

/// The sequence number of the last event that there ever was; 0 before the first.
pub(crate) async fn end(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    Ok(Ord::max(last(connection).await?, forgotten(connection).await?))
}

/// The highest sequence number of an event that is forgotten. Some before it may be kept.
pub(crate) async fn forgotten(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let mark = event_mark::Entity::find_by_id(FORGOTTEN).one(connection).await?;
    Ok(mark.map_or(0, |mark| mark.sequence))
}

/// The sequence number of the last event that is kept; 0 where there is none.
async fn last(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let last = event::Entity::find().select_only().column(event::Column::Sequence);
    let last = last.order_by_desc(event::Column::Sequence).limit(1).into_tuple::<i64>().one(connection).await?;
    Ok(last.unwrap_or_default())
}

/// The sequence number of the first event that is still kept.
pub(crate) async fn first(connection: &impl ConnectionTrait) -> Result<Option<i64>, DbErr> {
    let first = event::Entity::find().select_only().column(event::Column::Sequence);
    first.order_by_asc(event::Column::Sequence).limit(1).into_tuple::<i64>().one(connection).await
}

/// What of the log came after a sequence number, in its order.
pub(crate) struct Stretch {
    pub(crate) events: Vec<Event>,
    /// Nothing up to here, other than `events`, is wanted.
    pub(crate) read_up_to: i64,
    /// Nothing came after that, when it was read.
    pub(crate) is_end: bool,
}

/// How much of the log one query looks through, however little of it is wanted.
const SPAN: i64 = 10_000;

/// Reads events after a sequence number: at most `limit`, and as many as a [`budget`] has room for.
pub(crate) async fn after(
    connection: &impl ConnectionTrait,
    sequence: i64,
    filter: &Filter,
    limit: u64,
) -> Result<Stretch, DbErr> {
    // The end is read first. All events up to there are committed then, since the log is in the order of the commits.
    let end = last(connection).await?;
    if end <= sequence {
        return Ok(Stretch { events: Vec::new(), read_up_to: sequence, is_end: true });
    }
    let to = Ord::min(end, sequence.saturating_add(SPAN));
    let wanted = event::Entity::find()
        .filter(event::Column::Sequence.gt(sequence))
        .filter(event::Column::Sequence.lte(to))
        .filter(taken_by(filter))
        .order_by_asc(event::Column::Sequence)
        .limit(limit);
    let mut wanted = budget::sizes(connection, wanted).await?;
    let may_be_more = wanted.len() as u64 >= limit;
    let room = budget::room_for(wanted.iter().map(|(_, size)| *size));
    let is_all = !may_be_more && wanted.len() <= room;
    wanted.truncate(room);
    let sequences: Vec<i64> = wanted.into_iter().map(|(sequence, _)| sequence).collect();
    let read_up_to = if is_all { to } else { sequences.last().copied().unwrap_or(sequence) };
    let events = find_all(connection, &sequences).await?;
    Ok(Stretch { events, read_up_to, is_end: read_up_to == end })
}

/// How large each of these events is, for a [`budget`]; not more than a statement takes.
pub(super) async fn sizes_of(connection: &impl ConnectionTrait, these: &[i64]) -> Result<Vec<(i64, i64)>, DbErr> {
    let these = event::Entity::find().filter(event::Column::Sequence.is_in(these.iter().copied()));
    budget::sizes(connection, these).await
}

pub(crate) async fn find(connection: &impl ConnectionTrait, sequence: i64) -> Result<Option<Event>, DbErr> {
    event::Entity::find_by_id(sequence).one(connection).await?.map(from_row).transpose()
}

/// Those of these events that are kept, in the order of the log; not more than a statement takes.
pub(crate) async fn find_all(connection: &impl ConnectionTrait, these: &[i64]) -> Result<Vec<Event>, DbErr> {
    let found = event::Entity::find().filter(event::Column::Sequence.is_in(these.iter().copied()));
    let found = found.order_by_asc(event::Column::Sequence).all(connection).await?;
    found.into_iter().map(from_row).collect()
}

/// The sequence numbers and the times of events after a sequence number, in the order of the log, but for those of which a
/// delivery is kept; at most `limit`.
pub(crate) async fn times(
    connection: &impl ConnectionTrait,
    sequence: i64,
    limit: u64,
) -> Result<Vec<(i64, DateTime<Utc>)>, DbErr> {
    event::Entity::find()
        .select_only()
        .columns([event::Column::Sequence, event::Column::Time])
        .filter(event::Column::Sequence.gt(sequence))
        .filter(event::Column::Sequence.not_in_subquery(delivered_later()))
        .order_by_asc(event::Column::Sequence)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await
}

/// Deletes a range of the log, but for events of which a delivery is kept. How many there were.
pub(crate) async fn forget(connection: &impl ConnectionTrait, range: RangeInclusive<i64>) -> Result<u64, DbErr> {
    let (first, last) = range.into_inner();
    let mut kept = delivered_later();
    kept.and_where(event_delivery::Column::Sequence.between(first, last));
    let these = event::Entity::delete_many()
        .filter(event::Column::Sequence.between(first, last))
        .filter(event::Column::Sequence.not_in_subquery(kept));
    let forgotten = these.exec(connection).await?.rows_affected;
    if forgotten > 0 {
        let mark = event_mark::ActiveModel { name: Set(FORGOTTEN.to_owned()), sequence: Set(last) };
        let known = OnConflict::column(event_mark::Column::Name)
            .update_column(event_mark::Column::Sequence)
            .action_and_where(Expr::col((event_mark::Entity, event_mark::Column::Sequence)).lt(last))
            .to_owned();
        event_mark::Entity::insert(mark).on_conflict(known).exec_without_returning(connection).await?;
    }
    Ok(forgotten)
}

/// Which events somebody has not done with yet, or gave up.
fn delivered_later() -> SelectStatement {
    Query::select().column(event_delivery::Column::Sequence).from(event_delivery::Entity).take()
}

fn taken_by(filter: &Filter) -> Condition {
    filter.alternatives.iter().fold(Condition::any(), |any, Alternative { kind, action, key }| {
        let parts = [(event::Column::Type, kind), (event::Column::Action, action), (event::Column::Key, key)];
        let all = parts.into_iter().filter_map(|(column, part)| taken_by_part(column, part));
        any.add(all.fold(Condition::all(), Condition::add))
    })
}

fn taken_by_part(column: event::Column, part: &Part) -> Option<Condition> {
    let Part::OneOf(words) = part else { return None };
    let one_of = words.iter().map(|word| -> SimpleExpr {
        match word {
            Word::Is(word) => column.eq(word.as_str()),
            // Not LIKE: SQLite's does not tell `a` from `A`.
            Word::BeginsWith(beginning) => {
                let length = i32::try_from(beginning.chars().count()).unwrap_or(i32::MAX);
                let part = Func::cust("substr").arg(Expr::col(column)).arg(1).arg(length);
                Expr::expr(part).eq(beginning.as_str())
            }
        }
    });
    Some(one_of.fold(Condition::any(), Condition::add))
}

fn to_row(new: NewEvent) -> event::ActiveModel {
    event::ActiveModel {
        sequence: NotSet,
        time: Set(new.time),
        r#type: Set(new.kind),
        action: Set(new.action),
        key: Set(new.key),
        principal: Set(new.principal),
        object: Set(new.object),
        original: Set(new.original),
    }
}

fn from_row(row: event::Model) -> Result<Event, DbErr> {
    Ok(Event {
        sequence: row.sequence,
        time: row.time,
        kind: row.r#type,
        action: row.action,
        key: row.key,
        principal: row.principal,
        object: super::stored(RawValue::from_string(row.object))?,
        original: row
            .original
            .map(RawValue::from_string)
            .transpose()
            .map_err(|error| DbErr::Json(error.to_string()))?,
    })
}
