//! The way to the broker, which comes back when the broker does.

use crate::Names;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind, options::*, types::FieldTable,
};
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long it is waited before something is tried again.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Link {
    url: String,
    pub(crate) names: Names,
    /// The queue on which stops come, as Astute calls its own.
    own_queue: String,
    /// To publish on.
    open: Mutex<Option<Open>>,
}

/// A connection and a channel on it; it closes when nobody has it any more.
#[derive(Debug)]
pub(crate) struct Open {
    _connection: Connection,
    channel: Channel,
}

impl Link {
    /// How long one attempt may take.
    pub(crate) const LIMIT: Duration = Duration::from_secs(5);

    pub(crate) fn new(url: &str, names: &Names) -> Self {
        let own_queue = format!("{}_{}", names.stops, Uuid::now_v7());
        Self { url: url.to_owned(), names: names.clone(), own_queue, open: Mutex::new(None) }
    }

    /// Publishes a reply; comes back when the broker has it for good.
    pub(crate) async fn publish(&self, body: &[u8]) {
        while !matches!(tokio::time::timeout(Self::LIMIT, self.try_publish(body)).await, Ok(Ok(()))) {
            self.open.lock().await.take();
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_publish(&self, body: &[u8]) -> lapin::Result<()> {
        let mut open = self.open.lock().await;
        let open = match &mut *open {
            Some(open) => open,
            none => none.insert(self.open().await?),
        };
        let replies = self.names.replies.as_str();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let channel = &open.channel;
        channel.basic_publish(replies.into(), replies.into(), options, body, properties).await?.await?;
        Ok(())
    }

    async fn open(&self) -> lapin::Result<Open> {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let Names { requests, stops, replies, .. } = &self.names;
        for (exchange, kind) in
            [(requests, ExchangeKind::Topic), (stops, ExchangeKind::Fanout), (replies, ExchangeKind::Topic)]
        {
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default()).await?;
        }
        for queue in [requests, replies] {
            let name = || queue.as_str().into();
            channel.queue_declare(name(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
            channel.queue_bind(name(), name(), name(), QueueBindOptions::default(), FieldTable::default()).await?;
        }
        Ok(Open { _connection: connection, channel })
    }

    /// What comes on the queue of work; nothing where the broker does not answer.
    pub(crate) async fn requests(&self) -> Option<(Open, Consumer)> {
        tokio::time::timeout(Self::LIMIT, self.try_requests()).await.ok()?.ok()
    }

    async fn try_requests(&self) -> lapin::Result<(Open, Consumer)> {
        let open = self.open().await?;
        let consumer = self.consume(&open.channel, &self.names.requests).await?;
        Ok((open, consumer))
    }

    /// What comes to every worker: as Astute does it, on a queue that goes with its connection.
    pub(crate) async fn stops(&self) -> Option<(Open, Consumer)> {
        tokio::time::timeout(Self::LIMIT, self.try_stops()).await.ok()?.ok()
    }

    async fn try_stops(&self) -> lapin::Result<(Open, Consumer)> {
        let open = self.open().await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = open.channel.queue_declare(self.own_queue.as_str().into(), options, FieldTable::default()).await?;
        let (name, exchange) = (queue.name().clone(), self.names.stops.as_str().into());
        open.channel
            .queue_bind(name.clone(), exchange, "".into(), QueueBindOptions::default(), FieldTable::default())
            .await?;
        let consumer = self.consume(&open.channel, name.as_str()).await?;
        Ok((open, consumer))
    }

    async fn consume(&self, channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
        channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await
    }

    /// Takes all messages from a queue, waiting for the first one.
    pub(crate) async fn take(&self, queue: &str) -> lapin::Result<Vec<Vec<u8>>> {
        let open = self.open().await?;
        let mut taken = Vec::new();
        loop {
            let options = BasicGetOptions { no_ack: true };
            match open.channel.basic_get(queue.into(), options).await? {
                Some(message) => taken.push(message.delivery.data),
                None if taken.is_empty() => tokio::time::sleep(PAUSE).await,
                None => return Ok(taken),
            }
        }
    }

    /// How many messages wait in a queue.
    pub(crate) async fn count(&self, queue: &str) -> lapin::Result<u32> {
        let open = self.open().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        Ok(open.channel.queue_declare(queue.into(), options, FieldTable::default()).await?.message_count())
    }

    /// Waits until the broker knows that nobody takes stops any more.
    pub(crate) async fn is_deaf(&self) {
        loop {
            match self.count(&self.own_queue).await {
                Err(error) if error.to_string().contains("NOT_FOUND") => return,
                // It belongs to a connection that is there still.
                _ => Self::pause().await,
            }
        }
    }

    pub(crate) async fn pause() {
        tokio::time::sleep(PAUSE).await;
    }
}
