//! Queries of dead letters: events that could not be delivered, which wait for a person to decide.

use super::{
    DeliveryState, Listed, Page, ROWS_A_STATEMENT, WriteTx, budget,
    entity::{event_delivery, event_delivery::Column, event_subscription},
    events,
};
use crate::model::Event;
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Which dead letters are meant: those that fit all that is said here.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeadLetters {
    pub(crate) extension: Option<String>,
    pub(crate) subscription: Option<String>,
    pub(crate) sequences: Option<Vec<i64>>,
}

/// An event that could not be delivered to an extension.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    /// The extension.
    pub(crate) extension: String,
    /// The name of its subscription; empty for one without a name.
    pub(crate) subscription: String,
    /// The event's place in the log.
    pub(crate) sequence: i64,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// What went wrong the last time.
    pub(crate) error: String,
    /// When it was given up.
    pub(crate) time: DateTime<Utc>,
    /// The event; `null` where the caller may not read it.
    pub(crate) event: Option<Event>,
}

/// Whether the list can be in this order.
pub(crate) fn can_order(page: &Page) -> bool {
    page.order_by.is_none() || in_columns(page).is_some()
}

/// Lists dead letters with their events, by extension, subscription and sequence number unless the page says otherwise. They
/// are as many as a [`budget`] has room for, where that is less than the page.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    which: &DeadLetters,
    page: &Page,
) -> Result<Listed<DeadLetter>, DbErr> {
    let page = in_columns(page).unwrap_or_else(|| Page { order_by: None, ..page.clone() });
    let select = event_delivery::Entity::find().filter(which.condition(which.sequences.as_deref()));
    let mut rows = page.of_each(select, &[Column::Extension, Column::Name, Column::Sequence], connection).await?;
    let mut sizes = BTreeMap::new();
    for sequences in sequences_of(&rows.items).chunks(ROWS_A_STATEMENT) {
        sizes.extend(events::sizes_of(connection, sequences).await?);
    }
    let size = |row: &event_delivery::Model| sizes.get(&row.sequence).copied().unwrap_or_default();
    let room = budget::room_for(rows.items.iter().map(size));
    rows.items.truncate(room);
    let mut found = BTreeMap::new();
    for sequences in sequences_of(&rows.items).chunks(ROWS_A_STATEMENT) {
        found.extend(events::find_all(connection, sequences).await?.into_iter().map(|event| (event.sequence, event)));
    }
    rows.try_map(|row| {
        Ok(DeadLetter {
            event: found.get(&row.sequence).cloned(),
            extension: row.extension,
            subscription: row.name,
            sequence: row.sequence,
            attempts: row.attempts.unsigned_abs(),
            error: row.error,
            time: row.due,
        })
    })
}

/// The events of dead letters, each once: several subscriptions may have the same.
fn sequences_of(letters: &[event_delivery::Model]) -> Vec<i64> {
    let sequences: BTreeSet<i64> = letters.iter().map(|letter| letter.sequence).collect();
    sequences.into_iter().collect()
}

/// Lets dead letters be tried again, as if for the first time; how many there were.
pub(crate) async fn replay(tx: &WriteTx, which: &DeadLetters, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut replayed = 0;
    for these in which.conditions() {
        let update = event_delivery::Entity::update_many()
            .col_expr(Column::State, Expr::value(DeliveryState::Waiting.as_str()))
            .col_expr(Column::Attempts, Expr::value(0))
            .col_expr(Column::Due, Expr::value(now))
            .filter(these);
        replayed += update.exec(tx).await?.rows_affected;
    }
    Ok(replayed)
}

/// Forgets dead letters; how many there were.
pub(crate) async fn drop_them(tx: &WriteTx, which: &DeadLetters) -> Result<u64, DbErr> {
    let mut dropped = 0;
    for these in which.conditions() {
        dropped += event_delivery::Entity::delete_many().filter(these).exec(tx).await?.rows_affected;
    }
    Ok(dropped)
}

/// Whether an extension has, or had, subscriptions.
pub(crate) async fn knows(connection: &impl ConnectionTrait, extension: &str) -> Result<bool, DbErr> {
    let its = event_subscription::Entity::find().filter(event_subscription::Column::Extension.eq(extension));
    Ok(its.count(connection).await? > 0)
}

impl DeadLetters {
    /// What takes all of them, a statement each.
    fn conditions(&self) -> Vec<Condition> {
        match &self.sequences {
            None => vec![self.condition(None)],
            Some(these) => these.chunks(ROWS_A_STATEMENT).map(|these| self.condition(Some(these))).collect(),
        }
    }

    fn condition(&self, sequences: Option<&[i64]>) -> Condition {
        Condition::all()
            .add(Column::State.eq(DeliveryState::Dead.as_str()))
            .add_option(self.extension.as_deref().map(|extension| Column::Extension.eq(extension)))
            .add_option(self.subscription.as_deref().map(|name| Column::Name.eq(name)))
            .add_option(sequences.map(|these| Column::Sequence.is_in(these.iter().copied())))
    }
}

/// The page with the name of a column in place of that of a field, if there is such a field.
fn in_columns(page: &Page) -> Option<Page> {
    let order_by = page.order_by.as_deref()?;
    let (direction, field) = order_by.strip_prefix('-').map_or(("", order_by), |field| ("-", field));
    let column = match field {
        "subscription" => "name",
        "time" => "due",
        "sequence" | "attempts" | "error" => field,
        _ => return None,
    };
    Some(Page { order_by: Some(format!("{direction}{column}")), ..page.clone() })
}
