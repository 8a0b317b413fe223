//! What a transaction tells when it commits.
//!
//! Events are gathered while a transaction goes on and written at its very end. On PostgreSQL that is under a lock which
//! everybody takes who writes events: their order in the log is then that of the commits, and whoever has read the log up to
//! a sequence number will never find a lower one that is new. The lock is held for one insert and the commit.

use super::{WriteTx, events};
use crate::model::{Event, NewEvent, Published, Subject};
use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// The events of one transaction, or of one savepoint in it.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Who does what is told from now on.
    pub(crate) principal: Arc<str>,
    now: DateTime<Utc>,
    events: Mutex<Vec<NewEvent>>,
}

impl Journal {
    /// The events of what this principal does at this moment.
    pub(crate) fn new(principal: Arc<str>, now: DateTime<Utc>) -> Self {
        Self { principal, now, events: Mutex::default() }
    }

    /// The same, but that what is told from now on happens at this moment.
    pub(super) fn at(self, now: DateTime<Utc>) -> Self {
        Self { now, ..self }
    }

    /// The moment at which all that is told happens.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The journal of a part that may be rolled back by itself; see [`Journal::take_in`].
    pub(crate) fn part(&self, principal: Arc<str>) -> Self {
        Self::new(principal, self.now)
    }

    /// Takes in the events of a part that stays.
    pub(crate) fn take_in(&self, part: &Self) {
        let part = part.take();
        self.events.lock().unwrap_or_else(PoisonError::into_inner).extend(part);
    }

    pub(crate) fn created<T: Subject>(&self, object: &T) {
        self.tell(T::TYPE, "create", object.key(), object, None::<&T>);
    }

    pub(crate) fn updated<T: Subject>(&self, before: &T, after: &T) {
        self.tell(T::TYPE, "update", after.key(), after, Some(before));
    }

    pub(crate) fn deleted<T: Subject>(&self, object: &T) {
        self.tell(T::TYPE, "delete", object.key(), object, None::<&T>);
    }

    /// Tells of anything: what happened to what, how that is now, and how it was.
    pub(crate) fn tell<T: Serialize>(
        &self,
        kind: &str,
        action: &str,
        key: String,
        object: &T,
        original: Option<&impl Serialize>,
    ) {
        let event = NewEvent {
            time: self.now,
            kind: kind.to_owned(),
            action: action.to_owned(),
            key,
            principal: self.principal.to_string(),
            object: text(object),
            original: original.map(text),
        };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// How many events there are, for [`Journal::shorten`].
    pub(crate) fn length(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets the events that came after so many: a part of the transaction was rolled back.
    pub(crate) fn shorten(&self, length: usize) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).truncate(length);
    }

    /// Tells what somebody publishes, in the name of a principal.
    pub(crate) fn publish(&self, principal: Arc<str>, published: Published) {
        let part = self.part(principal);
        let Published { kind, action, key, object } = published;
        part.tell(&kind, &action, key, &object, None::<&()>);
        self.take_in(&part);
    }

    fn take(&self) -> Vec<NewEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is told of are types of the model and JSON values, which can be written.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

impl WriteTx {
    /// Writes the events of the transaction into the log, and commits it.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let told = self.journal.take();
        let is_news = !told.is_empty();
        events::append(&self.transaction, told).await?;
        self.commit_appended(is_news).await
    }

    /// Does the same, and gives back the last of the events, with its place in the log.
    pub(crate) async fn commit_and_tell(self) -> Result<Option<Event>, DbErr> {
        let told = self.journal.take();
        let is_news = !told.is_empty();
        events::append(&self.transaction, told).await?;
        // Whoever appends has the end of the log for itself until it commits.
        let last = if is_news { events::end(&self.transaction).await? } else { 0 };
        let last = events::find(&self.transaction, last).await?;
        self.commit_appended(is_news).await?;
        Ok(last)
    }

    async fn commit_appended(self, is_news: bool) -> Result<(), DbErr> {
        self.transaction.commit().await?;
        if is_news {
            self.bell.ring();
        }
        Ok(())
    }
}
