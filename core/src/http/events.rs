//! `/events`: the log of what happened.

use super::{
    App,
    extract::Query,
    openapi::Resource,
    respond::{Answer, Whole},
};
use crate::{
    error::Refusal,
    model::{Event, Filter},
    store,
};
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::routes;

/// How many events are answered with unless the query says otherwise, and at most.
const LIMIT: u64 = 100;
const MOST: u64 = 1_000;

pub(super) fn routes() -> Resource {
    Resource::new("events", "What happened: every change of a node, a cluster, a task and so on.").routes(routes!(log))
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

/// Reads the event log, from its oldest event on. Whoever goes on reading `after` the last event that came misses none.
#[utoipa::path(get, path = "/events", params(EventQuery))]
async fn log(State(server): App, Query(query): Query<EventQuery>) -> Answer<Whole<Event>> {
    let filter = filter(query.filter.as_deref())?;
    let limit = query.limit.min(MOST);
    Ok(Whole(store::events::after(server.store.reader(), query.after, &filter, limit).await?.events))
}

fn filter(text: Option<&str>) -> Result<Filter, Refusal> {
    match text {
        None => Ok(Filter::everything()),
        Some(text) => text.parse().map_err(|error| Refusal::malformed(format!("{error}"))),
    }
}
