//! What handlers take out of a request. Where axum's extractors would answer in plain text, these give problems that
//! name the place.

use super::{error::Problem, strict::Strict};
use crate::{
    error::{Mistake, Refusal, pointer_of},
    model::contains_nul,
};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use std::str::FromStr;

/// A JSON body, in or out. Going in, one that is not of type `T` is answered with 400 and the place of the mistake.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let content_type =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" && !(essence.starts_with("application/") && essence.ends_with("+json")) {
            return Err(Problem::not_json().into_response());
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
            Problem::new(rejection.status(), rejection.body_text()).into_response()
        })?;
        parse(&body).map(Self).map_err(IntoResponse::into_response)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        return Err(Problem::bad_request("the body is empty, and must be JSON"));
    }
    refuse_nul(body)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Strict(&mut deserializer)).map_err(|error| {
        let detail = error.inner().to_string();
        Problem::from(Refusal::mistakes(vec![Mistake { pointer: pointer_of(error.path()), detail }]))
    })?;
    deserializer.end().map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(value)
}

/// PostgreSQL stores no NUL in a text, and what one database refuses the other does not take.
fn refuse_nul(body: &[u8]) -> Result<(), Problem> {
    let escaped = br"\u0000";
    if !body.windows(escaped.len()).any(|part| part == escaped) {
        return Ok(());
    }
    // What looks like one may be a backslash and six characters.
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) if contains_nul(&value) => {
            Err(Problem::bad_request("a text holds a NUL character, which cannot be stored"))
        }
        _ => Ok(()),
    }
}

/// The query of the URL. One that is not of type `T` is answered with 400.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        match query {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text()).into_response()),
        }
    }
}

/// Defines the query of a list: the given parameters, and the part of the list that is wanted.
macro_rules! list_query {
    ($(#[$attribute:meta])* $visibility:vis $name:ident { $($(#[$field_attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
        #[serde(default, deny_unknown_fields)]
        $visibility struct $name {
            $($(#[$field_attribute])* $field: $type,)*
            /// At most so many; all when absent.
            limit: Option<u64>,
            /// Skips so many.
            offset: u64,
            /// A field, with `-` before it for descending order; the id decides between equals.
            order_by: Option<String>,
        }

        impl $name {
            fn page(&self) -> $crate::store::Page {
                $crate::store::Page { limit: self.limit, offset: self.offset, order_by: self.order_by.clone() }
            }
        }
    };
}

pub(super) use list_query;

/// Ids with commas between them: `1,2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ids(pub(super) Vec<i64>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let ids = text.split(',').map(|id| id.trim().parse::<i64>());
        let mut ids: Vec<i64> = ids
            .collect::<Result<_, _>>()
            .map_err(|_| serde::de::Error::custom(format!("`{text}` is not a list of ids, as in `1,2`")))?;
        ids.sort_unstable();
        ids.dedup();
        Ok(Self(ids))
    }
}

/// A parameter that may stand without a value: `cluster_id=` is `Some(None)`.
pub(super) fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(Some(None));
    }
    text.parse().map(|value| Some(Some(value))).map_err(serde::de::Error::custom)
}

/// The path of a resource with an id: `/nodes/7`. What is not an id is the id of nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let axum::extract::Path(params) =
            axum::extract::Path::<std::collections::BTreeMap<String, String>>::from_request_parts(parts, state)
                .await
                .map_err(|rejection| Problem::bad_request(rejection.body_text()).into_response())?;
        let text = params.get("id").map(String::as_str).unwrap_or_default();
        let unknown = || Problem::not_found(format!("`{text}` is not an id")).into_response();
        text.parse().map(Self).map_err(|_| unknown())
    }
}
