//! `/notifications`

use super::{
    App,
    extract::{Id, Json, Query, list_query},
    respond::{Answer, List, check_order},
};
use crate::{
    change::Tolerance,
    error::Refusal,
    model::{Notification, NotificationStatus},
    server::Server,
    store,
};
use axum::{
    Router,
    extract::State,
    routing::{get, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/notifications", get(list))
        .route("/notifications/stats", get(stats))
        .route("/notifications/{id}", put(mark))
}

list_query! {
    NotificationQuery {}
}

async fn list(State(server): App, Query(query): Query<NotificationQuery>) -> Answer<List<Notification>> {
    let page = query.page();
    check_order(&page, store::notifications::can_order)?;
    List::of(store::notifications::list(server.store.reader(), &page).await?)
}

async fn stats(State(server): App) -> Answer<Json<Value>> {
    let (total, unread) = store::notifications::count(server.store.reader()).await?;
    Ok(Json(json!({"total": total, "unread": unread})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    status: NotificationStatus,
}

async fn mark(State(server): App, Id(id): Id, Json(Mark { status }): Json<Mark>) -> Answer<Json<Notification>> {
    let tx = server.change(Tolerance::Strict).await?;
    let marked = store::notifications::set_status(&*tx, id, status).await?;
    let marked = marked.ok_or_else(|| Refusal::unknown("notification", id))?;
    tx.commit().await?;
    Ok(Json(marked))
}
