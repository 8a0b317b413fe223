//! The answers that several resources give.

use super::{error::Problem, extract::Json};
use crate::{
    error::Refusal,
    model::Task,
    store::{Listed, Page},
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What a handler of the core returns.
pub(super) type Answer<T> = Result<T, Problem>;

/// 201 with what was made.
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// 202 with the task that was begun.
pub(super) struct Accepted(pub(super) Task);

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

/// The task of a removal: 200 when it has ended already, 202 when an orchestrator has to work.
pub(super) struct Removal(pub(super) Task);

impl IntoResponse for Removal {
    fn into_response(self) -> Response {
        let status = if self.0.status.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
        (status, Json(self.0)).into_response()
    }
}

/// 204
pub(super) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// 200 with `null`: there is nothing to tell.
pub(super) struct Null;

impl IntoResponse for Null {
    fn into_response(self) -> Response {
        Json(()).into_response()
    }
}

/// A plain text.
pub(super) struct Text(pub(super) &'static str);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// A text with headings and the like.
pub(super) struct Markdown(pub(super) &'static str);

impl IntoResponse for Markdown {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], self.0).into_response()
    }
}

/// Metrics in the text format of Prometheus.
pub(super) struct Exposition(pub(super) String);

impl Exposition {
    pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
}

impl IntoResponse for Exposition {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, Self::CONTENT_TYPE)], self.0).into_response()
    }
}

/// A list that has no pages.
pub(super) struct Whole<T>(pub(super) Vec<T>);

impl<T: Serialize> IntoResponse for Whole<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// A part of a list, with `Content-Range: objects 0-49/1234`.
pub(super) struct List<T>(Listed<T>);

impl<T> List<T> {
    /// 416 when the part begins behind the end.
    pub(super) fn of(listed: Listed<T>) -> Answer<Self> {
        let Listed { offset, total, .. } = listed;
        if offset > total {
            return Err(Refusal::OutOfRange { offset, total }.into());
        }
        Ok(Self(listed))
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        let Self(Listed { items, offset, total }) = self;
        let range = match items.len() as u64 {
            0 => format!("objects */{total}"),
            count => format!("objects {offset}-{}/{total}", offset + count - 1),
        };
        let mut response = Json(items).into_response();
        if let Ok(range) = HeaderValue::from_str(&range) {
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
        response
    }
}

/// 400 when `order_by` names no field.
pub(super) fn check_order(page: &Page, can_order: fn(&Page) -> bool) -> Answer<()> {
    if can_order(page) {
        return Ok(());
    }
    let order_by = page.order_by.as_deref().unwrap_or_default();
    Err(Problem::bad_request(format!("there is no field `{order_by}` to order by")))
}
