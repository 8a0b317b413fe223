//! `/ws`: the event log as it grows, over a WebSocket.
//!
//! [`speech`] is what both sides say, [`connection`] how long they talk.

mod connection;
mod speech;

use super::{App, error::Problem, respond::Answer};
use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use connection::Connection;

/// How many bytes of a message are read at all: of a longer one nothing but that can be told.
const MESSAGE: usize = 64 << 10;

/// A connection that becomes a WebSocket.
pub(super) struct Switched(Response);

impl IntoResponse for Switched {
    fn into_response(self) -> Response {
        self.0
    }
}

/// Follows the event log: a WebSocket.
///
/// A client sends text messages: `register <filter>` begins to follow what a filter takes, from now on, or, as the first,
/// `register <filter> after <sequence>`, what came after an event: so it goes on where it was cut off. `deregister <filter>`
/// ends that. Nothing comes before the first filter is registered, and an event comes once however many of them take it.
///
/// Each frame of the server is a JSON object:
/// - `{"frame": "registered", "filter": "nodes.*.*", "after": 7}`: what comes after event 7 will be told;
/// - `{"frame": "deregistered", "filter": "nodes.*.*"}`;
/// - `{"frame": "event", "event": {…}}`: the event as it is in the list;
/// - `{"frame": "gap", "from": 3, "to": 7}`: of these sequence numbers, events are forgotten that were not sent;
/// - `{"frame": "error", "detail": "…"}`: what is wrong with the message that was sent; all else goes on.
///
/// What a client has not read yet stays in the log. One that takes nothing, or does not answer pings, for a minute (a setting)
/// is let go.
#[utoipa::path(get, path = "/ws", responses(
    (status = 400, description = "It is no handshake of a WebSocket."),
    (status = 403, description = "A page of another site opens it."),
))]
pub(super) async fn socket(
    State(server): App,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Switched> {
    let upgrade = upgrade.map_err(|_| {
        Problem::bad_request("this is a WebSocket: connect to it with its handshake, over HTTP/1.1, as in `ws://…`")
    })?;
    if !is_of_this_site(&headers) {
        return Err(Problem::forbidden("a page of another site may not follow the events of this server"));
    }
    let place = server.streams.place()?;
    let upgrade = upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    let response = upgrade.on_upgrade(move |socket: WebSocket| async move {
        // The server waits for it when it stops.
        let _owner = server.work.token();
        Connection::new(server, socket, place).serve().await;
    });
    Ok(Switched(response))
}

/// Browsers let any page open a WebSocket to anywhere, and tell where the page is from.
fn is_of_this_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let text = |value: &header::HeaderValue| value.to_str().map(str::to_ascii_lowercase).ok();
    let origin = text(origin).and_then(|origin| origin.split_once("://").map(|(_, host)| host.to_owned()));
    origin.is_some() && origin == headers.get(header::HOST).and_then(text)
}

#[cfg(test)]
mod tests {
    use super::is_of_this_site;
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn a_page_of_another_site_is_told_from_one_of_this_server() {
        for (origin, is_of_it) in [
            (None, true),
            (Some("http://server:8080"), true),
            (Some("https://SERVER:8080"), true),
            (Some("http://server"), false),
            (Some("http://evil.example"), false),
            (Some("null"), false),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("server:8080"))]);
            headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
            assert_eq!(is_of_this_site(&headers), is_of_it, "{origin:?}");
        }
    }
}
