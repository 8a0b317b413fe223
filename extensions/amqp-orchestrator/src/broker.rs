//! The connection to the broker: one, which both directions share, and which is made anew when it broke.

use crate::settings::{AmqpSettings, Compression};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind,
    message::Delivery,
    options::*,
    types::{AMQPValue, FieldTable, ShortString},
};
use rivetgun::prelude::Uuid;
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, Notify, watch};

/// How long a connection may take.
const CONNECTION: Duration = Duration::from_secs(10);

/// How long the confirmation of a message, or any other answer, may take.
const ANSWER: Duration = Duration::from_secs(30);

/// Message bodies that Nailgun compressed are called so, and are zlib.
pub(crate) const COMPRESSED: &str = "application/x-gzip";

/// The broker, as far as it is there.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    link: Mutex<Option<Arc<Link>>>,
    is_away: AtomicBool,
    /// Told when somebody begins to need the broker: until then nobody looks whether there is one.
    pub(crate) needed: Notify,
    /// The messages that this server is publishing just now.
    sending: watch::Sender<BTreeSet<Uuid>>,
    /// Held by who looks through the queue of work: what one has in hand another does not see there.
    pub(crate) looking: Mutex<()>,
}

/// A message that is being published until this is dropped.
pub(crate) struct Sending<'a> {
    broker: &'a Broker,
    message: Uuid,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.broker.sending.send_if_modified(|sending| sending.remove(&self.message));
    }
}

/// A connection on which everything is declared.
pub(crate) struct Link {
    connection: Connection,
    /// To publish on, with confirms.
    publisher: Channel,
}

/// Why a message was not published.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It may be at another time.
    Away(String),
    /// No queue is there to take it.
    Unroutable,
}

/// Where a message goes.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => formatter.write_str(why),
            Self::Unroutable => formatter.write_str("no queue is bound that would take the message"),
        }
    }
}

impl Trouble {
    /// Whether the broker is there and does not let us in.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Away(why) if why.contains("ACCESS-REFUSED"))
    }
}

impl From<lapin::Error> for Trouble {
    fn from(error: lapin::Error) -> Self {
        Self::Away(error.to_string())
    }
}

impl Broker {
    /// The connection, which is made where there is none. That it cannot be made is logged once, until it can again.
    pub(crate) async fn link(&self, settings: &AmqpSettings) -> Result<Arc<Link>, Trouble> {
        let mut kept = self.link.lock().await;
        if let Some(link) = kept.as_ref().filter(|link| link.is_alive()) {
            return Ok(Arc::clone(link));
        }
        kept.take();
        let opened = limited(CONNECTION, async { Ok(Link::open(settings).await?) }).await;
        match &opened {
            Ok(link) => {
                kept.replace(Arc::clone(link));
                if self.is_away.swap(false, Ordering::Relaxed) {
                    tracing::info!(broker = ?settings.url, "the broker is back");
                }
            }
            Err(trouble) if !self.is_away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(broker = ?settings.url, %trouble, "the broker is away; it is tried again until it is back");
            }
            Err(_) => {}
        }
        opened
    }

    /// Notes that a message is being published.
    pub(crate) fn sends(&self, message: Uuid) -> Sending<'_> {
        self.sending.send_if_modified(|sending| sending.insert(message));
        Sending { broker: self, message }
    }

    /// Waits until none of these messages is being published.
    pub(crate) async fn has_sent(&self, messages: &BTreeSet<Uuid>) {
        // It cannot end while the broker is there.
        let _ = self.sending.subscribe().wait_for(|sending| sending.is_disjoint(messages)).await;
    }

    /// Whether it was away when it was looked for last.
    pub(crate) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Publishes a message. When this comes back well, the broker has it for good.
    pub(crate) async fn publish(
        &self,
        settings: &AmqpSettings,
        to: &Address,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Trouble> {
        let link = self.link(settings).await?;
        let Address { exchange, routing_key } = to.clone();
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let published =
            async { link.publisher.basic_publish(exchange, routing_key, options, body, properties).await?.await };
        let confirmed = limited(ANSWER, async { Ok(published.await?) }).await;
        let refused = match confirmed {
            Ok(Confirmation::Ack(None)) => return Ok(()),
            Ok(Confirmation::Ack(Some(_))) => Trouble::Unroutable,
            Ok(_) => Trouble::Away("it did not take the message".to_owned()),
            Err(trouble) => trouble,
        };
        // What was declared may be gone, so that it is declared again.
        self.link.lock().await.take_if(|kept| Arc::ptr_eq(kept, &link));
        Err(refused)
    }

    /// Sets a message aside that cannot be read. It is not left to the broker, which knows where to only for queues that
    /// were declared so: Nailgun's and Astute's are not.
    pub(crate) async fn set_aside(
        &self,
        settings: &AmqpSettings,
        delivery: &Delivery,
        reason: &str,
    ) -> Result<(), Trouble> {
        let mut headers = delivery.properties.headers().clone().unwrap_or_default();
        headers.insert("x-rivetgun-reason".into(), AMQPValue::LongString(reason.into()));
        let properties = delivery.properties.clone().with_headers(headers).with_delivery_mode(2);
        let to = Address { exchange: settings.dead_letters.get(), routing_key: settings.dead_letters.get() };
        self.publish(settings, &to, &delivery.data, properties).await
    }
}

impl Link {
    async fn open(settings: &AmqpSettings) -> lapin::Result<Arc<Self>> {
        let name = ConnectionProperties::default().with_connection_name("rivetgun".into());
        let connection = Connection::connect_uri(settings.url.0.clone(), name).await?;
        let publisher = connection.create_channel().await?;
        publisher.confirm_select(ConfirmSelectOptions::default()).await?;
        declare(&publisher, settings).await?;
        Ok(Arc::new(Self { connection, publisher }))
    }

    fn is_alive(&self) -> bool {
        self.connection.status().connected() && self.publisher.status().connected()
    }

    /// A channel of one's own.
    pub(crate) async fn channel(&self) -> lapin::Result<Channel> {
        self.connection.create_channel().await
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Link").finish_non_exhaustive()
    }
}

/// What the broker answers, if it does so in time.
pub(crate) async fn answered<T>(asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    limited(ANSWER, asked).await
}

async fn limited<T>(limit: Duration, asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let late = |_| Err(Trouble::Away(format!("it does not answer in {} s", limit.as_secs())));
    tokio::time::timeout(limit, asked).await.unwrap_or_else(late)
}

/// Declares exchanges and queues as Nailgun and Astute do, so that it does not matter who comes first.
pub(crate) async fn declare(channel: &Channel, settings: &AmqpSettings) -> lapin::Result<()> {
    let AmqpSettings { requests, stops, replies, dead_letters, .. } = settings;
    for (exchange, kind) in [
        (requests, ExchangeKind::Topic),
        (stops, ExchangeKind::Fanout),
        (replies, ExchangeKind::Topic),
        (dead_letters, ExchangeKind::Topic),
    ] {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(exchange.get(), kind, durable, FieldTable::default()).await?;
    }
    for queue in [requests, replies, dead_letters] {
        let (name, none) = (queue.get(), FieldTable::default());
        channel.queue_declare(name.clone(), QueueDeclareOptions::durable(), none.clone()).await?;
        channel.queue_bind(name.clone(), name.clone(), name, QueueBindOptions::default(), none).await?;
    }
    Ok(())
}

/// The properties of a message that is to outlive the broker. Astute wants the headers to be there.
pub(crate) fn properties(id: Uuid, compression: Compression) -> BasicProperties {
    let mut headers = FieldTable::default();
    if compression == Compression::Zlib {
        headers.insert("compression".into(), AMQPValue::LongString(COMPRESSED.into()));
    }
    BasicProperties::default()
        .with_message_id(id.to_string().into())
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_app_id("rivetgun".into())
        .with_delivery_mode(2)
        .with_headers(headers)
}
