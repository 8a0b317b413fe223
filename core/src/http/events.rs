//! `/events`: the log of what happened, and what callers add to it.

use super::{
    App, event_stream,
    extract::{Json, Query},
    openapi::Resource,
    respond::{Answer, Created, Whole},
    websocket,
};
use crate::{
    error::Refusal,
    events::{self, EventType},
    model::{Event, Filter, Object},
    principal, store,
};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// How many events are answered with unless the query says otherwise, and at most.
const LIMIT: u64 = 100;
const MOST: u64 = 1_000;
/// How much is answered with, about; one event always is.
const BYTES: usize = 16 << 20;

pub(super) fn routes() -> Resource {
    Resource::new("events", "What happened: every change of a node, a cluster, a task and so on.")
        .routes(routes!(log, publish))
        .routes(routes!(types))
        .routes(routes!(event_stream::stream))
        .routes(routes!(websocket::socket))
}

/// Which events are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
struct EventQuery {
    /// `type.action.key`, each part `*`, a word, the beginning of one (`node*`) or a list of these with commas; several
    /// with spaces between them. All events when absent.
    filter: Option<String>,
    /// Only what came after the event with this sequence number.
    after: i64,
    /// At most so many, and never more than 1000.
    limit: u64,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self { filter: None, after: 0, limit: LIMIT }
    }
}

/// Reads the event log, from its oldest event on. Whoever goes on reading `after` the last event that came misses none; an
/// empty list is the end. Types that the caller may not read are left out.
#[utoipa::path(get, path = "/events", params(EventQuery))]
async fn log(State(server): App, Query(query): Query<EventQuery>) -> Answer<Whole<Event>> {
    let filter = filter(query.filter.as_deref())?;
    let limit = query.limit.min(MOST);
    let (mut events, mut after, mut bytes) = (Vec::new(), query.after.max(0), 0);
    loop {
        let wanted = (limit - events.len() as u64).min(LIMIT);
        let stretch = store::events::after(server.store.reader(), after, &filter, wanted).await?;
        after = stretch.read_up_to;
        for event in stretch.events.into_iter().filter(|event| server.event_rules.may_read(principal::OPEN, event)) {
            bytes += event.size();
            events.push(event);
            if bytes >= BYTES {
                return Ok(Whole(events));
            }
        }
        if stretch.is_end || events.len() as u64 == limit {
            return Ok(Whole(events));
        }
    }
}

/// Lists the types of events that the core and the extensions of this build write. Callers publish others.
#[utoipa::path(get, path = "/events/types")]
async fn types(State(server): App) -> Whole<EventType> {
    Whole(server.event_rules.types())
}

/// An event to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    /// What it happens to: a word of lower-case letters, digits and `_`; none of the core, nor the name of an extension or
    /// what begins with that and `_`.
    #[serde(rename = "type")]
    kind: String,
    /// What happens: such a word, too.
    action: String,
    /// Which one it happens to: 1 to 255 letters.
    key: String,
    /// What there is to say of it, at most 256 KiB.
    #[schema(value_type = Object)]
    object: Object,
}

/// Publishes an event in the name of the caller.
#[utoipa::path(post, path = "/events", responses(
    (status = 403, description = "The type is one of the core or of an extension."),
))]
async fn publish(State(server): App, Json(new): Json<NewEvent>) -> Answer<Created<Event>> {
    let NewEvent { kind, action, key, object } = new;
    Ok(Created(events::publish(&server, kind, action, key, object).await?))
}

/// The filter of a query; all events when absent.
pub(super) fn filter(text: Option<&str>) -> Result<Filter, Refusal> {
    match text {
        None => Ok(Filter::everything()),
        Some(text) => text.parse().map_err(|error| Refusal::malformed(format!("{error}"))),
    }
}
