//! `/events/stream`: the event log as it grows, as server-sent events.

use super::{App, error::Problem, events::filter, extract::Query, respond::Answer};
use crate::{
    error::chain,
    events::{Follower, Place, Told},
    principal,
    server::Server,
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How often a stream says how far it is while there is nothing to say: so nobody on the way takes it for dead, and who
/// resumes it does not begin at an event of long ago.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which events are wanted.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// As that of the list. All events when absent.
    filter: Option<String>,
    /// Begins after the event with this sequence number; with what happens from now on when absent.
    after: Option<i64>,
    /// Ends after so many events; goes on for as long as the server does when absent.
    limit: Option<u64>,
}

/// An event stream.
pub(super) struct Followed(Response);

impl IntoResponse for Followed {
    fn into_response(self) -> Response {
        self.0
    }
}

/// Follows the event log: server-sent events.
///
/// Each event has its sequence number as its `id`, and as its `data` the event as it is in the list. It has no name, so that
/// `onmessage` of a browser's `EventSource` takes all of them. Whoever was cut off goes on after the last `id` that came, with
/// `Last-Event-ID` or `after`, and misses nothing: what is not read yet stays in the log, however slow the reader is. Where
/// events were forgotten meanwhile by their age, an event `gap` tells of which sequence numbers, as `{"from": 3, "to": 7}`.
/// An `id` without `data` comes first, and at times in between, and tells how far the stream is.
#[utoipa::path(get, path = "/events/stream", params(
    StreamQuery,
    ("Last-Event-ID" = Option<i64>, Header, description = "As `after`, and before it."),
))]
pub(super) async fn stream(
    State(server): App,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Answer<Followed> {
    let filter = filter(query.filter.as_deref())?;
    let after = last_event_id(&headers)?.or(query.after);
    let place = server.streams.place()?;
    let follower = Follower::new(&server, principal::OPEN, filter, after).await?;
    let teller = Teller { server, follower, left: query.limit, has_begun: false, _place: place };
    Ok(Followed(Sse::new(teller.into_blocks()).into_response()))
}

/// The event after which a client that was cut off goes on.
fn last_event_id(headers: &HeaderMap) -> Answer<Option<i64>> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let id = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    let wrong = "`Last-Event-ID` is not the sequence number of an event; leave it out to begin now";
    id.map(Some).ok_or_else(|| Problem::bad_request(wrong))
}

/// Who tells a client what it follows.
struct Teller {
    server: Arc<Server>,
    follower: Follower,
    /// How many events it still wants, where it does not want all.
    left: Option<u64>,
    has_begun: bool,
    _place: Place,
}

impl Teller {
    /// What is told, by a task of its own: a client that takes nothing keeps its connection, and no place.
    fn into_blocks(self) -> impl Stream<Item = Result<Event, Error>> {
        let (told, taken) = mpsc::channel(1);
        let server = Arc::clone(&self.server);
        // Else the server would wait for its readers, and they for it.
        let stopping = server.stopping.clone();
        server.work.spawn(async move { stopping.run_until_cancelled(self.tell(told)).await });
        stream::unfold(taken, async |mut taken| Some((taken.recv().await?, taken)))
    }

    async fn tell(mut self, told: mpsc::Sender<Result<Event, Error>>) {
        let patience = self.server.settings.events.client_timeout();
        loop {
            let block = tokio::select! {
                () = told.closed() => return,
                block = self.block() => block.transpose(),
            };
            let Some(block) = block else { return };
            if let Err(error) = &block {
                tracing::warn!(error = chain(error), "the event log cannot be followed any more");
            }
            let is_last = block.is_err();
            if !matches!(tokio::time::timeout(patience, told.send(block)).await, Ok(Ok(()))) || is_last {
                return;
            }
        }
    }

    async fn block(&mut self) -> Result<Option<Event>, Error> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Ok(Some(self.progress()));
        }
        if self.left == Some(0) {
            return Ok(None);
        }
        let Ok(told) = tokio::time::timeout(KEEP_ALIVE, self.follower.next()).await else {
            return Ok(Some(self.progress()));
        };
        let block = match told? {
            Told::Event(event) => {
                self.left = self.left.map(|left| left - 1);
                Event::default().id(event.sequence.to_string()).json_data(event)
            }
            Told::Gap(gap) => Event::default().event("gap").id(gap.to.to_string()).json_data(gap),
        };
        block.map(Some).map_err(Error::Block)
    }

    /// How far the client is. Without data it is no event to it, but it resumes from there.
    fn progress(&self) -> Event {
        Event::default().id(self.follower.position().to_string())
    }
}

/// Why a stream breaks off; who follows it may go on after the last event that came.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    #[error("an event cannot be written")]
    Block(#[source] axum::Error),
}
