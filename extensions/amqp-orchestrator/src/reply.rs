//! What Astute says, read from the body of a message.

use flate2::read::{GzDecoder, ZlibDecoder};
use rivetgun::prelude::Uuid;
use serde::Deserialize;
use std::{borrow::Cow, io::Read};

/// How large a reply may be before it was compressed, in bytes.
const MOST: u64 = 64 << 20;

/// A reply.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Reply {
    pub(crate) method: String,
    pub(crate) args: Args,
}

/// What a reply says. What is absent is not said.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Args {
    /// The id of the message that is answered.
    pub(crate) task_uuid: Uuid,
    pub(crate) status: Option<String>,
    pub(crate) progress: Option<f64>,
    pub(crate) error: Option<String>,
    pub(crate) nodes: Option<Vec<NodeArgs>>,
    pub(crate) error_nodes: Option<Vec<NodeArgs>>,
    pub(crate) inaccessible_nodes: Option<Vec<NodeArgs>>,
}

/// What a reply says of a node.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(crate) struct NodeArgs {
    #[serde(default)]
    pub(crate) uid: Uid,
    pub(crate) status: Option<String>,
    pub(crate) progress: Option<f64>,
    pub(crate) error_msg: Option<String>,
    /// As removals call it.
    pub(crate) error: Option<String>,
    pub(crate) online: Option<bool>,
}

/// The id of a node, or a word for what is none.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Uid {
    Id(i64),
    Text(String),
    #[default]
    None,
}

impl Uid {
    /// The node, where it is one.
    pub(crate) fn node(&self) -> Option<i64> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Text(text) => text.parse().ok(),
            Self::None => None,
        }
    }

    pub(crate) fn is_master(&self) -> bool {
        *self == Self::Text("master".to_owned())
    }
}

impl Reply {
    /// Reads a body, compressed or not.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(&inflated(body)?).map_err(|error| format!("it is not a reply of Astute: {error}"))
    }
}

/// A body as it was before it was compressed. It shows whether it was: JSON begins otherwise.
fn inflated(body: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let mut plain = Vec::new();
    let inflated = match body {
        [0x1f, 0x8b, ..] => GzDecoder::new(body).take(MOST + 1).read_to_end(&mut plain),
        [0x78, ..] => ZlibDecoder::new(body).take(MOST + 1).read_to_end(&mut plain),
        _ => return Ok(Cow::Borrowed(body)),
    };
    match inflated {
        Ok(size) if size as u64 > MOST => Err(format!("it is larger than {} MiB once it is inflated", MOST >> 20)),
        Ok(_) => Ok(Cow::Owned(plain)),
        Err(error) => Err(format!("it cannot be inflated: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Reply, Uid};
    use flate2::{
        Compression,
        write::{GzEncoder, ZlibEncoder},
    };
    use std::io::Write;

    const PLAIN: &[u8] = br#"{"method": "deploy_resp", "args": {"task_uuid": "6cb98eae-4b72-4eb9-95ed-dccc78786cc1"}}"#;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).and_then(|()| encoder.finish()).expect("it fits in memory")
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).and_then(|()| encoder.finish()).expect("it fits in memory")
    }

    #[test]
    fn a_reply_is_read_however_it_was_compressed() {
        let plain = Reply::read(PLAIN).expect("a reply");
        assert_eq!((Reply::read(&gzip(PLAIN)), Reply::read(&zlib(PLAIN))), (Ok(plain), Reply::read(PLAIN)));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason() {
        let args = |args: &str| format!(r#"{{"method": "deploy_resp", "args": {args}}}"#).into_bytes();
        let uuid = r#""task_uuid": "6cb98eae-4b72-4eb9-95ed-dccc78786cc1""#;
        for (body, reason) in [
            (Vec::new(), "EOF"),
            (b"\xff\xfe".to_vec(), "expected value"),
            (b"[]".to_vec(), "not a reply"),
            (b"{}".to_vec(), "missing field"),
            (br#"{"args": {}}"#.to_vec(), "task_uuid"),
            (args("{}"), "task_uuid"),
            (args(r#"{"task_uuid": null}"#), "UUID"),
            (args(r#"{"task_uuid": "seven"}"#), "UUID"),
            (args(&format!(r#"{{{uuid}, "status": 7}}"#)), "a string"),
            (args(&format!(r#"{{{uuid}, "nodes": {{}}}}"#)), "a sequence"),
            (args(&format!(r#"{{{uuid}, "nodes": [{{"uid": [7]}}]}}"#)), "Uid"),
            (args(&format!(r#"{{{uuid}, "nodes": [{{"uid": "7", "online": "yes"}}]}}"#)), "a boolean"),
            (b"\x1f\x8bnonsense".to_vec(), "inflated"),
            (b"x\x9cnonsense".to_vec(), "inflated"),
            (gzip(PLAIN)[..20].to_vec(), "inflated"),
        ] {
            let refusal = Reply::read(&body).expect_err("it cannot be read");
            assert!(refusal.contains(reason), "{}: {refusal}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn a_small_body_that_inflates_without_end_is_refused() {
        let bomb = gzip(&vec![b' '; 65 << 20]);
        assert!(bomb.len() < 100_000);
        assert!(Reply::read(&bomb).expect_err("it is too large").contains("larger than 64 MiB"));
    }

    #[test]
    fn ids_of_nodes_come_as_texts_and_as_numbers() {
        let read = |json: &str| serde_json::from_str::<Uid>(json).expect("a uid");
        assert_eq!((read("7").node(), read(r#""7""#).node()), (Some(7), Some(7)));
        for none in ["null", r#""master""#, r#""None""#] {
            assert_eq!(read(none).node(), None, "{none}");
        }
        assert!(read(r#""master""#).is_master() && !read("null").is_master());
    }
}
