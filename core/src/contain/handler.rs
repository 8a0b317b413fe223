//! Calls the URL handler of an extension.

use super::{Call, Fault, contain};
use axum::{extract::Request, response::Response};
use std::{convert::Infallible, time::Duration};
use tower::Service;

/// Hands a request on to an extension's handlers. An error that a handler returns is a response already; what comes back
/// as a fault is a panic or a time-out.
pub(crate) async fn contained<S>(
    extension: &'static str,
    limit: Duration,
    mut handlers: S,
    request: Request,
) -> Result<Response, Fault>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let call = Call { extension, method: "urls", limit };
    contain(call, || async move {
        match handlers.call(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    })
    .await
}
