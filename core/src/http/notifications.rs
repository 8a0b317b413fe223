//! `/notifications`

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    openapi::Resource,
    respond::{Answer, List, check_order},
};
use crate::{
    change::Tolerance,
    error::Refusal,
    model::{Notification, NotificationStatus},
    store,
};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes() -> Resource {
    Resource::new("notifications", "What people should know although nobody asked.")
        .routes(routes!(list))
        .routes(routes!(stats))
        .routes(routes!(mark))
}

list_query! {
    NotificationQuery {}
}

/// Lists notifications.
#[utoipa::path(get, path = "/notifications", params(NotificationQuery))]
async fn list(State(server): App, Query(query): Query<NotificationQuery>) -> Answer<List<Notification>> {
    let page = query.page();
    check_order(&page, store::notifications::can_order)?;
    List::of(store::notifications::list(server.store.reader(), &page).await?)
}

/// How many notifications nobody has seen.
#[derive(Serialize, ToSchema)]
struct NotificationStats {
    /// How many there are.
    total: u64,
    /// How many of them nobody has seen.
    unread: u64,
}

/// Counts notifications.
#[utoipa::path(get, path = "/notifications/stats")]
async fn stats(State(server): App) -> Answer<Json<NotificationStats>> {
    let (total, unread) = store::notifications::count(server.store.reader()).await?;
    Ok(Json(NotificationStats { total, unread }))
}

/// What becomes of a notification.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NotificationUpdate {
    /// Whether a person has seen it.
    status: NotificationStatus,
}

/// Marks a notification as read or unread.
#[utoipa::path(put, path = "/notifications/{id}")]
async fn mark(
    State(server): App,
    Id(id): Id,
    Json(NotificationUpdate { status }): Json<NotificationUpdate>,
) -> Answer<Json<Notification>> {
    let tx = server.change(Tolerance::Strict).await?;
    let marked = store::notifications::set_status(&tx, id, status).await?;
    let marked = marked.ok_or_else(|| Refusal::unknown("notification", id))?;
    tx.commit().await?;
    Ok(Json(marked))
}
