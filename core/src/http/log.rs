//! The log of a task: a list of lines, or the lines as they come.

use super::{
    App,
    error::Problem,
    extract::{Id, Query, list_query},
    respond::{Answer, List, check_order},
};
use crate::{
    error::{Refusal, chain},
    server::Server,
    store::{self, LogLine},
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How many lines are read at once, and wait in memory for a reader who is slow.
const LINES: u64 = 100;
/// How long what another server writes may go unseen.
const POLL: Duration = Duration::from_secs(2);
/// Something changes all the time where much is done: it is not looked at more often than this.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a stream says something while there is nothing to say, so that nobody on the way takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What the event `end` says of a task that is gone; of others it says the status.
const DELETED: &str = "deleted";

list_query! {
    pub(super) LogQuery {
        /// Answers with an event stream: the lines that are there, then those that come. Not with `limit`, `offset` or
        /// `order_by`.
        follow: bool,
    }
}

/// What a log is answered with.
pub(super) enum Log {
    Listed(List<LogLine>),
    Followed(Response),
}

impl IntoResponse for Log {
    fn into_response(self) -> Response {
        match self {
            Self::Listed(list) => list.into_response(),
            Self::Followed(response) => response,
        }
    }
}

/// Lists the lines that came out of the work on a task, or follows them.
///
/// With `follow` each line is an event; its `id` is that of the line, and its `data` the line as it is in the list. When
/// the task has ended and all of its log was sent, an event `end` tells its status (`deleted` where the task is gone), and
/// the stream is over: whoever reconnects by itself should close it then.
#[utoipa::path(get, path = "/tasks/{id}/log", params(
    LogQuery,
    ("Last-Event-ID" = Option<i64>, Header, description = "With `follow`: only the lines after this one."),
))]
pub(super) async fn log(
    State(server): App,
    Id(id): Id,
    headers: HeaderMap,
    Query(query): Query<LogQuery>,
) -> Answer<Log> {
    let page = query.page();
    let exists = async || {
        let status = store::tasks::status(server.store.reader(), id).await?;
        status.ok_or_else(|| Refusal::unknown("task", id)).map_err(Problem::from)
    };
    if !query.follow {
        check_order(&page, store::logs::can_order)?;
        exists().await?;
        let listed = List::of(store::logs::list(server.store.reader(), id, &page).await?)?;
        return Ok(Log::Listed(listed));
    }
    if page != store::Page::default() {
        return Err(Problem::bad_request(
            "a log that is followed has no `limit`, `offset` or `order_by`; leave them out",
        ));
    }
    let after = last_event_id(&headers)?;
    exists().await?;
    let events = Follower::new(server, id, after).into_events();
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(Log::Followed(stream.into_response()))
}

/// The line after which a client that was cut off goes on.
fn last_event_id(headers: &HeaderMap) -> Answer<i64> {
    let Some(id) = headers.get("last-event-id") else { return Ok(0) };
    let id = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    id.ok_or_else(|| Problem::bad_request("`Last-Event-ID` is not the id of a line; leave it out to get all of them"))
}

/// Who reads a log as it grows.
struct Follower {
    server: Arc<Server>,
    task: i64,
    /// The last line that was read.
    last: i64,
    /// What was read and not sent yet.
    lines: VecDeque<(i64, LogLine)>,
    next: Next,
    changed: watch::Receiver<()>,
}

/// What comes after the lines that were read.
#[derive(Clone, Copy)]
enum Next {
    /// There may be more at once.
    Read,
    /// There is nothing before something changes.
    Wait,
    /// The task has ended, like this.
    End(&'static str),
    Nothing,
}

impl Follower {
    fn new(server: Arc<Server>, task: i64, after: i64) -> Self {
        let changed = server.changed();
        Self { server, task, last: after, lines: VecDeque::new(), next: Next::Read, changed }
    }

    fn into_events(self) -> impl Stream<Item = Result<Event, Error>> {
        stream::try_unfold(self, async |mut follower| {
            let stopping = follower.server.stopping.clone();
            // Else the server would wait for its readers, and they for it.
            match stopping.run_until_cancelled(follower.event()).await {
                Some(Ok(Some(event))) => Ok(Some((event, follower))),
                Some(Ok(None)) | None => Ok(None),
                Some(Err(error)) => {
                    tracing::warn!(task = follower.task, error = chain(&error), "a log cannot be followed any more");
                    Err(error)
                }
            }
        })
    }

    async fn event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some((id, line)) = self.lines.pop_front() {
                return Event::default().id(id.to_string()).json_data(line).map(Some).map_err(Error::Line);
            }
            match self.next {
                Next::Read => self.read().await?,
                Next::Wait => {
                    tokio::time::sleep(PAUSE).await;
                    // Whether it changed or not is the same here.
                    let _ = tokio::time::timeout(POLL, self.changed.changed()).await;
                    self.next = Next::Read;
                }
                Next::End(how) => {
                    self.next = Next::Nothing;
                    return Ok(Some(Event::default().event("end").data(how)));
                }
                Next::Nothing => return Ok(None),
            }
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let reader = self.server.store.reader();
        // The status first: what is written before a task ends is there when it has.
        let status = store::tasks::status(reader, self.task).await?;
        let lines = store::logs::after(reader, self.task, self.last, LINES).await?;
        self.last = lines.last().map_or(self.last, |(id, _)| *id);
        self.next = match status {
            None => Next::End(DELETED),
            Some(_) if lines.len() as u64 == LINES => Next::Read,
            Some(status) if status.is_final() => Next::End(status.as_str()),
            Some(_) => Next::Wait,
        };
        self.lines = lines.into();
        Ok(())
    }
}

/// Why a stream breaks off; who follows it may go on after the last line that came.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    #[error("a line cannot be written")]
    Line(#[source] axum::Error),
}
