//! Signatures as <https://www.standardwebhooks.com> has them, made and checked with `ring`.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use std::time::{SystemTime, UNIX_EPOCH};

/// How far a timestamp may be off, in seconds.
const TOLERANCE: u64 = 300;

/// A secret that both sides know: `whsec_` and base64.
#[derive(Debug, Clone)]
pub struct Secret(hmac::Key);

/// The three headers of a signed message, as names and values.
pub type Headers = [(&'static str, String); 3];

impl Secret {
    /// Reads a secret.
    ///
    /// # Errors
    /// When it is not `whsec_` and base64.
    pub fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or("a secret begins with `whsec_`")?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|error| format!("a secret is base64: {error}"))?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The headers of a message with this id and body, signed at this time.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> Headers {
        let tag = hmac::sign(&self.0, &signed(id, &timestamp.to_string(), body));
        [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", format!("v1,{}", BASE64_STANDARD.encode(tag))),
        ]
    }

    /// Whether one of the signatures of a message is made with this secret, and the message is not too old.
    #[must_use]
    pub fn has_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let [id, timestamp, signatures] =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| text(headers, name));
        let is_fresh = timestamp.parse::<u64>().is_ok_and(|timestamp| timestamp.abs_diff(now()) <= TOLERANCE);
        let signed = signed(id, timestamp, body);
        let is_ours = |signature: &str| {
            let tag = signature.strip_prefix("v1,").and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
            tag.is_some_and(|tag| hmac::verify(&self.0, &signed, &tag).is_ok())
        };
        is_fresh && signatures.split(' ').any(is_ours)
    }
}

/// The present, in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A header as text; empty where it is not there.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn the_example_of_the_standard_has_the_signature_that_the_standard_says() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let [.., (_, signature)] =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
