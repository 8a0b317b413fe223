//! Reads the event log as it grows, for a client: at its pace, so that a slow one costs nothing.
//!
//! What a client has not read yet stays in the log. In memory is the stretch that is being sent to it, which is
//! about a megabyte; and so it misses something only when that is forgotten meanwhile, which it is told.

use crate::{
    model::{Event, Filter, Role},
    server::Server,
    store,
};
use sea_orm::DbErr;
use serde::Serialize;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::watch;
use utoipa::ToSchema;

/// How many events are read at once.
const EVENTS: u64 = 100;
/// How long events may go unseen of which nobody told this server.
const POLL: Duration = Duration::from_secs(3);
/// A server that does much writes events all the time: so long they are gathered.
const PAUSE: Duration = Duration::from_millis(20);

/// A client that follows the event log.
pub(crate) struct Follower {
    server: Arc<Server>,
    role: Role,
    filter: Filter,
    /// Up to here, nothing more is to be told.
    position: i64,
    /// What was read, and is to be told.
    unread: VecDeque<Event>,
    read_up_to: i64,
    /// There is nothing more before somebody rings.
    is_at_the_end: bool,
    bell: watch::Receiver<u64>,
}

/// What is told to a client.
#[derive(Debug)]
pub(crate) enum Told {
    Event(Box<Event>),
    Gap(Gap),
}

/// A part of the log of which events are forgotten that were not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Gap {
    /// The first sequence number of which that may hold.
    pub(crate) from: i64,
    /// The last one.
    pub(crate) to: i64,
}

/// Why nobody can follow the log from where it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoFollower {
    #[error("there is no event {after} yet: the log ends at {end}, so it is another log or a younger one; begin anew")]
    NotYet { after: i64, end: i64 },
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl Follower {
    /// Follows the log from after an event on, or from now on.
    pub(crate) async fn new(
        server: &Arc<Server>,
        role: Role,
        filter: Filter,
        after: Option<i64>,
    ) -> Result<Self, NoFollower> {
        let position = begin(server, after).await?;
        Ok(Self {
            role,
            filter,
            position,
            unread: VecDeque::new(),
            read_up_to: position,
            is_at_the_end: false,
            bell: server.store.bell.any(),
            server: Arc::clone(server),
        })
    }

    /// Up to which event nothing more is to be told: who goes on after it misses nothing.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// Goes on with another filter, from where it is.
    pub(crate) fn change(&mut self, filter: Filter) {
        self.filter = filter;
        self.go_to(self.position);
    }

    /// Goes on after an event.
    fn go_to(&mut self, position: i64) {
        (self.position, self.read_up_to) = (position, position);
        self.unread.clear();
        self.is_at_the_end = false;
    }

    /// What comes next, as soon as it is there. Nothing is lost when this is dropped before.
    pub(crate) async fn next(&mut self) -> Result<Told, DbErr> {
        loop {
            if let Some(event) = self.unread.pop_front() {
                self.position = event.sequence;
                return Ok(Told::Event(Box::new(event)));
            }
            self.position = self.read_up_to;
            if self.is_at_the_end {
                // Whether somebody rang or not is the same here.
                let _ = tokio::time::timeout(POLL, self.bell.changed()).await;
                // Before the pause: the bell is heard only once, and who drops this in the pause shall read all the same.
                self.is_at_the_end = false;
                tokio::time::sleep(PAUSE).await;
            }
            if let Some(gap) = self.read().await? {
                return Ok(Told::Gap(gap));
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Gap>, DbErr> {
        let streams = Arc::clone(&self.server.streams);
        let _turn = streams.turn().await;
        let reader = self.server.store.reader();
        let mut stretch = store::events::after(reader, self.position, &self.filter, EVENTS).await?;
        // Afterwards: what is forgotten in between is missing in what was read.
        let forgotten = store::events::forgotten(reader).await?;
        if forgotten > self.position {
            let gap = Gap { from: self.position + 1, to: forgotten };
            self.go_to(forgotten);
            return Ok(Some(gap));
        }
        self.is_at_the_end = stretch.is_end;
        stretch.events.retain(|event| self.server.event_rules.may_read(self.role, event));
        (self.read_up_to, self.unread) = (stretch.read_up_to, stretch.events.into());
        Ok(None)
    }
}

async fn begin(server: &Server, after: Option<i64>) -> Result<i64, NoFollower> {
    let end = store::events::end(server.store.reader()).await?;
    match after {
        Some(after) if after > end => Err(NoFollower::NotYet { after, end }),
        after => Ok(after.unwrap_or(end).max(0)),
    }
}
