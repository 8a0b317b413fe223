//! Answers that go out as they are.

use axum::response::{IntoResponse, Response};

/// An answer that goes out as it is, where it is an error too: any other error with a plain text becomes problem details.
///
/// ```
/// # use rivetgun::prelude::*;
/// async fn brew() -> impl IntoResponse {
///     Verbatim((StatusCode::IM_A_TEAPOT, "I am teapot"))
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Verbatim<R>(pub R);

/// Marks the response for the middleware.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsItIs;

impl<R: IntoResponse> IntoResponse for Verbatim<R> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(AsItIs);
        response
    }
}
