//! A WebSocket as long as it lasts: what the client wants is answered, what it follows is told.

use super::speech::{Frame, Wish};
use crate::{
    error::chain,
    events::{Follower, NoFollower, Place, Told},
    model::Filter,
    principal,
    server::Server,
};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use sea_orm::DbErr;
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, timeout};

/// How many words the filters of a connection have together at most: they become one condition in SQL.
const WORDS: usize = 500;
/// How long it is tried to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection to a client.
pub(super) struct Connection {
    server: Arc<Server>,
    socket: WebSocket,
    filters: Vec<Filter>,
    /// Follows what the filters take, where there are any.
    follower: Option<Follower>,
    /// When the client was last heard of.
    heard: Instant,
    _place: Place,
}

/// How a connection ends.
enum End {
    /// The client closed it, or is gone.
    Gone,
    /// The client took nothing, or was not heard of.
    Silent,
    /// The client does not speak as it should.
    Broken,
    /// The log cannot be read.
    Failed,
    Stopping,
}

/// What happens next.
enum Next {
    Said(Option<Result<Message, axum::Error>>),
    Told(Result<Told, DbErr>),
    Ping,
}

impl Connection {
    pub(super) fn new(server: Arc<Server>, socket: WebSocket, place: Place) -> Self {
        Self { server, socket, filters: Vec::new(), follower: None, heard: Instant::now(), _place: place }
    }

    /// Talks to the client until one of the two ends it.
    pub(super) async fn serve(mut self) {
        let stopping = self.server.stopping.clone();
        let end = match stopping.run_until_cancelled(self.talk()).await {
            Some(Ok(never)) => match never {},
            Some(Err(end)) => end,
            None => End::Stopping,
        };
        self.close(end).await;
    }

    async fn talk(&mut self) -> Result<Infallible, End> {
        let patience = self.server.settings.events.client_timeout();
        let mut ping = tokio::time::interval(patience / 3);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = tokio::select! {
                said = self.socket.recv() => Next::Said(said),
                told = next_of(self.follower.as_mut()) => Next::Told(told),
                _ = ping.tick() => Next::Ping,
            };
            match next {
                Next::Said(said) => self.hear(said).await?,
                Next::Told(Ok(Told::Event(event))) => self.say(&Frame::Event { event }).await?,
                Next::Told(Ok(Told::Gap(gap))) => self.say(&Frame::Gap(gap)).await?,
                Next::Told(Err(error)) => return Err(failed(&error)),
                Next::Ping if self.heard.elapsed() > patience => return Err(End::Silent),
                Next::Ping => self.send(Message::Ping(Vec::new().into())).await?,
            }
        }
    }

    async fn hear(&mut self, said: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let said = said.ok_or(End::Gone)?.map_err(|error| {
            tracing::debug!(%error, "a WebSocket breaks off");
            End::Broken
        })?;
        self.heard = Instant::now();
        let answer = match said {
            Message::Text(text) => match text.parse() {
                Ok(Wish::Register { filter, after }) => self.register(filter, after).await?,
                Ok(Wish::Deregister { filter }) => self.deregister(&filter),
                Err(detail) => Frame::Error { detail },
            },
            Message::Binary(_) => refused("a message is text, and not binary"),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
        };
        self.say(&answer).await
    }

    async fn register(&mut self, filter: Filter, after: Option<i64>) -> Result<Frame, End> {
        if after.is_some() && self.follower.is_some() {
            return Ok(refused(
                "`after` stands with the first filter only; deregister the others, or open another connection",
            ));
        }
        let text = filter.to_string();
        if !self.filters.contains(&filter) {
            let words: usize = self.filters.iter().chain([&filter]).map(Filter::words).sum();
            if words > WORDS {
                return Ok(refused(format!(
                    "the filters of a connection have at most {WORDS} words together; deregister some, or open another \
                     connection"
                )));
            }
            self.filters.push(filter);
        }
        let wanted = Filter::any_of(&self.filters);
        if let Some(follower) = &mut self.follower {
            follower.change(wanted);
            return Ok(Frame::Registered { filter: text, after: follower.position() });
        }
        match Follower::new(&self.server, principal::OPEN, wanted, after).await {
            Ok(follower) => {
                let after = self.follower.insert(follower).position();
                Ok(Frame::Registered { filter: text, after })
            }
            Err(not_yet @ NoFollower::NotYet { .. }) => {
                self.filters.clear();
                Ok(refused(not_yet.to_string()))
            }
            Err(NoFollower::Database(error)) => Err(failed(&error)),
        }
    }

    fn deregister(&mut self, filter: &Filter) -> Frame {
        let Some(place) = self.filters.iter().position(|registered| registered == filter) else {
            return refused(format!("`{filter}` is not registered"));
        };
        self.filters.remove(place);
        match &mut self.follower {
            Some(follower) if !self.filters.is_empty() => follower.change(Filter::any_of(&self.filters)),
            _ => self.follower = None,
        }
        Frame::Deregistered { filter: filter.to_string() }
    }

    async fn say(&mut self, frame: &Frame) -> Result<(), End> {
        let text = serde_json::to_string(frame).map_err(|error| {
            tracing::error!(%error, "a frame cannot be written");
            End::Failed
        })?;
        self.send(Message::Text(text.into())).await
    }

    /// Sends a message, for as long as anybody may take to read it.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        let patience = self.server.settings.events.client_timeout();
        match timeout(patience, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Silent),
        }
    }

    async fn close(mut self, end: End) {
        let (code, reason) = match end {
            End::Gone => (close_code::NORMAL, ""),
            End::Silent => (close_code::POLICY, "nothing was taken, or heard of the client, for too long"),
            End::Broken => (close_code::PROTOCOL, "that is no message of a WebSocket, or too long a one"),
            End::Failed => {
                (close_code::ERROR, "the event log cannot be read; connect again, and register after the last event")
            }
            End::Stopping => (close_code::AWAY, "the server stops; connect again, and register after the last event"),
        };
        let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // Who is gone does not hear it.
        drop(timeout(GOODBYE, self.socket.send(goodbye)).await);
    }
}

fn refused(detail: impl Into<String>) -> Frame {
    Frame::Error { detail: detail.into() }
}

fn failed(error: &DbErr) -> End {
    tracing::warn!(error = chain(error), "the event log cannot be followed");
    End::Failed
}

/// What comes next for whoever follows the log; nothing ever where nobody does.
async fn next_of(follower: Option<&mut Follower>) -> Result<Told, DbErr> {
    match follower {
        Some(follower) => follower.next().await,
        None => std::future::pending().await,
    }
}
