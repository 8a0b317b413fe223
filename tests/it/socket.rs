//! A client of the WebSocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that is open.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::open_from(address, None).await.unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// Opens it for a page of this origin; the status of a refusal.
    pub(crate) async fn open_from(address: SocketAddr, origin: Option<&str>) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/api/v1/ws").into_client_request().expect("a request");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", HeaderValue::from_str(origin).expect("a header"));
        }
        let stream = TcpStream::connect(address).await.expect("it listens");
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    /// Opens it as soon as there is a place for it.
    pub(crate) async fn open_in_time(address: SocketAddr) -> Self {
        let open = async {
            let mut interval = tokio::time::interval(Duration::from_millis(10));
            loop {
                interval.tick().await;
                if let Ok(socket) = Self::open_from(address, None).await {
                    return socket;
                }
            }
        };
        tokio::time::timeout(PATIENCE, open).await.expect("there is a place in time")
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("it can be sent");
    }

    /// Says something, and gives back the answer: nothing else comes before it.
    pub(crate) async fn ask(&mut self, text: &str) -> Value {
        self.send(Message::text(text)).await;
        self.frame().await
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.next().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("no frame: {other:?}"),
        }
    }

    /// The code with which the server closes it.
    pub(crate) async fn closed(&mut self) -> u16 {
        match self.next().await {
            Some(Message::Close(Some(frame))) => frame.code.into(),
            other => panic!("it is not closed: {other:?}"),
        }
    }

    async fn next(&mut self) -> Option<Message> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(message)) => return Some(message),
                    Some(Err(error)) => panic!("it breaks off: {error}"),
                    None => return None,
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("something comes")
    }
}
