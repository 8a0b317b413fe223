//! `/extensions/{name}/dead_letters`: events that could not be delivered to an extension.

use super::{
    App,
    extract::{Ids, Json, Query},
    openapi::Resource,
    respond::{Answer, List, check_order},
};
use crate::{
    error::{Outcome, Refusal},
    events, principal,
    server::Server,
    store::{self, DeadLetter, DeadLetters, Page},
};
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("dead_letters", "Events that could not be delivered to an extension, which wait for a decision.")
        .routes(routes!(list, drop_them))
        .routes(routes!(replay))
}

/// How many are answered with unless the query says otherwise, and at most.
const LIMIT: u64 = 100;
const MOST: u64 = 1_000;

/// Which dead letters are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
struct LetterQuery {
    /// The name of a subscription: only what could not be delivered to that one. Empty for the one without a name.
    subscription: Option<String>,
    /// At most so many, and never more than 1000. There may be fewer where the events are large: `Content-Range` tells.
    limit: u64,
    /// Skips so many.
    offset: u64,
    /// A field, with `-` before it for descending order; the subscription and the sequence number decide between equals.
    order_by: Option<String>,
}

impl Default for LetterQuery {
    fn default() -> Self {
        Self { subscription: None, limit: LIMIT, offset: 0, order_by: None }
    }
}

/// Lists what could not be delivered to an extension, and was given up. It may be one that is not in this build any more.
#[utoipa::path(get, path = "/extensions/{name}/dead_letters", params(
    ("name" = String, Path, description = "The name of the extension."),
    LetterQuery,
))]
async fn list(
    State(server): App,
    Path(name): Path<String>,
    Query(LetterQuery { subscription, limit, offset, order_by }): Query<LetterQuery>,
) -> Answer<List<DeadLetter>> {
    let page = Page { limit: Some(limit.min(MOST)), offset, order_by };
    check_order(&page, store::dead_letters::can_order)?;
    let which = of(&server, name, subscription, None).await?;
    let mut listed = store::dead_letters::list(server.store.reader(), &which, &page).await?;
    for letter in &mut listed.items {
        letter.event = letter.event.take().filter(|event| server.event_rules.may_read(principal::OPEN, event));
    }
    List::of(listed)
}

/// Which dead letters are tried again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Replay {
    /// The name of a subscription; all of them when absent.
    subscription: Option<String>,
    /// The sequence numbers of events; all of them when absent.
    sequences: Option<Vec<i64>>,
}

/// How many dead letters are tried again.
#[derive(Serialize, ToSchema)]
struct Replayed {
    /// How many they are.
    replayed: u64,
}

/// Lets an extension handle again what could not be delivered to it: within a few seconds, and as often as at first.
#[utoipa::path(post, path = "/extensions/{name}/dead_letters/replay", params(
    ("name" = String, Path, description = "The name of the extension."),
))]
async fn replay(
    State(server): App,
    Path(name): Path<String>,
    Json(Replay { subscription, sequences }): Json<Replay>,
) -> Answer<Json<Replayed>> {
    let which = of(&server, name, subscription, sequences).await?;
    Ok(Json(Replayed { replayed: events::replay(&server, &which).await? }))
}

/// Which dead letters are dropped.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Drop {
    /// The name of a subscription; all of them when absent.
    #[param(value_type = Option<String>)]
    subscription: Option<String>,
    /// The sequence numbers of events, with commas between them; all of them when absent.
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false)]
    sequences: Option<Ids>,
}

/// How many dead letters are dropped.
#[derive(Serialize, ToSchema)]
struct Dropped {
    /// How many they were.
    dropped: u64,
}

/// Drops what could not be delivered to an extension, for good.
#[utoipa::path(delete, path = "/extensions/{name}/dead_letters", params(
    ("name" = String, Path, description = "The name of the extension."),
    Drop,
))]
async fn drop_them(
    State(server): App,
    Path(name): Path<String>,
    Query(Drop { subscription, sequences }): Query<Drop>,
) -> Answer<Json<Dropped>> {
    let which = of(&server, name, subscription, sequences.map(|Ids(sequences)| sequences)).await?;
    Ok(Json(Dropped { dropped: events::drop_dead_letters(&server, &which).await? }))
}

/// Dead letters of an extension that there is, or that has left some.
async fn of(
    server: &Server,
    extension: String,
    subscription: Option<String>,
    sequences: Option<Vec<i64>>,
) -> Outcome<DeadLetters> {
    let is_linked = server.registry.find(&extension).is_some();
    if !is_linked && !store::dead_letters::knows(server.store.reader(), &extension).await? {
        return Err(Refusal::NotFound(format!("no such extension: {extension}")));
    }
    Ok(DeadLetters { extension: Some(extension), subscription, sequences })
}
