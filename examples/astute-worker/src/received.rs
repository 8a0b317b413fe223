//! What a worker was sent.

use flate2::read::{GzDecoder, ZlibDecoder};
use lapin::message::Delivery;
use serde_json::Value;
use std::io::{self, Read};

/// A message that a worker was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Its id as a message.
    pub message_id: Option<String>,
    /// How many bytes it had on its way.
    pub size: usize,
    /// The header `compression`.
    pub compression: Option<String>,
    /// Whether the broker was told to keep it.
    pub is_persistent: bool,
    /// The envelope.
    pub envelope: Value,
}

impl Received {
    /// Each envelope of a message; there are several where they are to be run in sequence.
    pub(crate) fn of(delivery: &Delivery) -> io::Result<Vec<Self>> {
        let properties = &delivery.properties;
        let headers = properties.headers().as_ref();
        let compression = headers.and_then(|headers| headers.inner().get("compression"));
        let compression = compression.and_then(|value| value.as_long_string()).map(ToString::to_string);
        let one = |envelope| Self {
            message_id: properties.message_id().as_ref().map(ToString::to_string),
            size: delivery.data.len(),
            compression: compression.clone(),
            is_persistent: *properties.delivery_mode() == Some(2),
            envelope,
        };
        Ok(match serde_json::from_slice(&inflated(&delivery.data)?)? {
            Value::Array(envelopes) => envelopes.into_iter().map(one).collect(),
            envelope => vec![one(envelope)],
        })
    }

    /// What is to be done.
    #[must_use]
    pub fn method(&self) -> &str {
        self.envelope["method"].as_str().unwrap_or_default()
    }

    /// What is needed for it.
    #[must_use]
    pub fn args(&self) -> &Value {
        &self.envelope["args"]
    }

    /// The id in the replies to it.
    #[must_use]
    pub fn task_uuid(&self) -> &str {
        self.args()["task_uuid"].as_str().unwrap_or_default()
    }

    /// The ids of the nodes that it is about.
    #[must_use]
    pub fn uids(&self) -> Vec<String> {
        let listed = |nodes: &Value| -> Vec<String> {
            let nodes = nodes.as_array().into_iter().flatten();
            nodes.filter_map(|node| Some(node["uid"].as_str()?.to_owned())).collect()
        };
        match self.method() {
            "image_provision" => listed(&self.args()["provisioning_info"]["nodes"]),
            "task_deploy" => {
                let nodes = self.args()["tasks_graph"].as_object().into_iter().flatten().map(|(uid, _)| uid);
                nodes.filter(|uid| !matches!(uid.as_str(), "null" | "master")).cloned().collect()
            }
            _ => listed(&self.args()["nodes"]),
        }
    }
}

/// A body as it was before it was compressed, whatever its headers say.
fn inflated(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match body {
        [0x1f, 0x8b, ..] => drop(GzDecoder::new(body).read_to_end(&mut plain)?),
        [0x78, ..] => drop(ZlibDecoder::new(body).read_to_end(&mut plain)?),
        _ => plain.extend_from_slice(body),
    }
    Ok(plain)
}
