//! The section `[extensions.amqp_orchestrator]`.

use lapin::{
    types::ShortString,
    uri::{AMQPScheme, AMQPUri},
};
use serde::Deserialize;
use std::{fmt, num::NonZeroU16};

/// The settings, checked at start.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct AmqpSettings {
    /// The broker: `amqp://user:password@host:port/virtual-host`.
    pub(crate) url: Url,
    /// The topic exchange, the queue and the routing key of work.
    pub(crate) requests: Name,
    /// The fanout exchange of stops.
    pub(crate) stops: Name,
    /// The topic exchange, the queue and the routing key of replies.
    pub(crate) replies: Name,
    /// The exchange and the queue of replies that could not be read.
    pub(crate) dead_letters: Name,
    /// How many nodes one message is about at most.
    pub(crate) nodes_a_message: NonZeroU16,
    /// Whether bodies are made smaller.
    pub(crate) compression: Compression,
    /// How many days it is known which nodes a message was about that has ended.
    pub(crate) keep_days: NonZeroU16,
}

impl Default for AmqpSettings {
    fn default() -> Self {
        Self {
            url: Url::default(),
            requests: Name::of("naily"),
            stops: Name::of("naily_service"),
            replies: Name::of("nailgun"),
            dead_letters: Name::of("nailgun.dead"),
            nodes_a_message: NonZeroU16::MIN.saturating_add(49),
            compression: Compression::Zlib,
            keep_days: NonZeroU16::MIN.saturating_add(29),
        }
    }
}

/// How bodies are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    /// As Nailgun does it, which calls it `application/x-gzip`.
    Zlib,
    None,
}

/// The URL of a broker. It holds a password, and is not shown.
#[derive(Clone, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Url(pub(crate) AMQPUri);

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url: AMQPUri = text.parse().map_err(|error| {
            format!("it is not the URL of a broker ({error}); write amqp://user:password@host:port/virtual-host")
        })?;
        if url.scheme != AMQPScheme::AMQP {
            return Err(
                "this build speaks no TLS; write amqp://…, and reach the broker through a trusted network".into()
            );
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = &self.0.authority;
        write!(formatter, "amqp://{}:{}", authority.host, authority.port)
    }
}

/// The name of an exchange or a queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(ShortString);

impl Name {
    fn of(name: &'static str) -> Self {
        Self(name.into())
    }

    pub(crate) fn get(&self) -> ShortString {
        self.0.clone()
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it has no letters; leave it out to have the default".to_owned());
        }
        if text.contains(char::is_control) {
            return Err("it has letters that cannot be seen; write it without them".to_owned());
        }
        ShortString::try_new(text).map(Self).map_err(|error| format!("it is too long: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, Url};

    #[test]
    fn what_is_no_broker_is_refused_with_what_to_write() {
        for (url, hint) in [("http://here", "amqp://user"), ("amqps://here", "no TLS"), ("", "amqp://user")] {
            let refusal = Url::try_from(url.to_owned()).expect_err(url);
            assert!(refusal.contains(hint), "{url}: {refusal}");
        }
        for name in ["x".repeat(256), String::new(), "nai\0ly".to_owned()] {
            assert!(Name::try_from(name.clone()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_password_of_a_url_is_not_shown() {
        let url = Url::try_from("amqp://me:secret@there:1/%2f".to_owned()).expect("a URL");
        assert_eq!(format!("{url:?}"), "amqp://there:1");
    }
}
