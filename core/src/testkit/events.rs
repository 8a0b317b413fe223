//! Event streams of a [`TestServer`], read as they come.

use super::{PATIENCE, TestServer};
use axum::{
    body::{Body, BodyDataStream},
    extract::Request,
};
use futures_util::StreamExt;

/// An event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// What it is called; empty where it has no name.
    pub name: String,
    /// Its id; empty where it has none.
    pub id: String,
    /// What it says.
    pub data: String,
}

/// An event stream that is being read.
pub struct Events {
    path: String,
    body: BodyDataStream,
    /// What was read and is no whole event yet.
    rest: String,
}

impl TestServer {
    /// Reads an event stream; the path stands below `/api/v1`. After `last`, an id, where there is one.
    ///
    /// # Panics
    /// When there is no such stream.
    pub async fn follow(&self, path: &str, last: Option<&str>) -> Events {
        let mut request = Request::get(format!("/api/v1{path}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap_or_else(|error| panic!("{path} makes no request: {error}"));
        let answer = self.api.answer(request).await;
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(content_type, Some("text/event-stream"), "{path}");
        Events { path: path.to_owned(), body: answer.into_body().into_data_stream(), rest: String::new() }
    }
}

impl Events {
    /// The next event; nothing when the stream is over.
    ///
    /// # Panics
    /// When neither comes in half a minute, or the stream breaks off.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let event = parse(block);
                self.rest = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let piece = tokio::time::timeout(PATIENCE, self.body.next()).await;
            let piece = piece.unwrap_or_else(|_| panic!("{}: nothing comes", self.path))?;
            let piece = piece.unwrap_or_else(|error| panic!("{}: the stream breaks off: {error}", self.path));
            self.rest.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    /// All events that are still to come.
    ///
    /// # Panics
    /// When the stream is not over in half a minute after an event.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// An event; one that only keeps the connection alive is none.
fn parse(block: &str) -> Option<Event> {
    let mut event = Event::default();
    let mut is_one = false;
    for line in block.lines() {
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" if is_one => event.data = format!("{}\n{value}", event.data),
            "data" => value.clone_into(&mut event.data),
            _ => continue,
        }
        is_one |= field == "data";
    }
    is_one.then_some(event)
}
