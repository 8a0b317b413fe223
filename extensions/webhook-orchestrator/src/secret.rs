//! Secrets, and the signatures that are made and checked with them: those of <https://www.standardwebhooks.com>.

use axum::http::HeaderMap;
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;

pub(crate) const ID: &str = "webhook-id";
pub(crate) const TIMESTAMP: &str = "webhook-timestamp";
pub(crate) const SIGNATURE: &str = "webhook-signature";

/// What the standard asks of a secret, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// With or without the `=` at its end: people leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that both sides know.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Secret(Hmac<Sha256>);

/// Why a text is no secret. The text itself is not repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSecret {
    #[error("a secret begins with `whsec_`, and base64 follows")]
    Prefix,
    #[error("what follows `whsec_` is not base64")]
    Base64,
    #[error(
        "a secret is 24 to 64 bytes long, and this is {0}; `openssl rand -base64 32` makes one to put behind `whsec_`"
    )]
    Length(usize),
}

/// All secrets that are good at this time; the first is the present one, the others are those of before a rotation.
#[derive(Debug, Clone)]
pub(crate) struct Secrets(pub(crate) Vec<Secret>);

/// A message that says to be signed, before anybody looked at its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    signatures: Vec<Vec<u8>>,
}

impl TryFrom<String> for Secret {
    type Error = NoSecret;

    fn try_from(text: String) -> Result<Self, NoSecret> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(NoSecret::Prefix)?;
        let key = BASE64.decode(encoded).map_err(|_| NoSecret::Base64)?;
        if !LENGTH.contains(&key.len()) {
            return Err(NoSecret::Length(key.len()));
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| NoSecret::Length(key.len()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Secrets {
    /// The header of the signatures of a message, one by each secret: the receiver needs to know one of them.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: impl Iterator<Item = Bytes>) -> String {
        let mut macs: Vec<Hmac<Sha256>> = self.0.iter().map(|secret| begun(secret, id, timestamp)).collect();
        for chunk in body {
            macs.iter_mut().for_each(|mac| mac.update(&chunk));
        }
        let signatures = macs.into_iter().map(|mac| format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())));
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Whether a message is signed with one of the secrets.
    pub(crate) fn have_signed(&self, claim: &Claim, body: &[u8]) -> bool {
        self.0.iter().any(|secret| {
            let mac = begun(secret, &claim.id, claim.timestamp).chain_update(body);
            // Compared in constant time.
            claim.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        })
    }
}

impl Claim {
    /// What the headers claim; nothing where they are not there, or not as they must be.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, timestamp) = (text(ID)?, text(TIMESTAMP)?);
        let is_canonical = |parsed: &i64| parsed.to_string() == timestamp;
        let timestamp = timestamp.parse().ok().filter(is_canonical)?;
        let signature = |text: &str| BASE64.decode(text.strip_prefix("v1,")?).ok();
        let signatures = text(SIGNATURE)?.split(' ').filter_map(signature).collect();
        is_id(id).then(|| Self { id: id.to_owned(), timestamp, signatures })
    }

    /// What tells this message from every other, whichever signatures it has.
    pub(crate) fn digest(&self, body: &[u8]) -> String {
        let digest = Sha256::new().chain_update(signed_head(&self.id, self.timestamp)).chain_update(body).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// With a dot in it, where the id ends and the time begins would be anybody's guess, and one signature good for both.
fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn begun(secret: &Secret, id: &str, timestamp: i64) -> Hmac<Sha256> {
    secret.0.clone().chain_update(signed_head(id, timestamp))
}

/// What is signed in front of the body.
fn signed_head(id: &str, timestamp: i64) -> String {
    format!("{id}.{timestamp}.")
}

#[cfg(test)]
mod tests {
    use super::{Claim, ID, SIGNATURE, Secret, Secrets, TIMESTAMP};
    use axum::http::HeaderMap;
    use bytes::Bytes;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn the_example_of_the_standard_has_the_signature_that_the_standard_says() {
        let body = [&BODY[..5], &BODY[5..]].into_iter().map(Bytes::from_static);
        let signature =
            secrets(&["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn one_good_signature_among_several_is_enough_and_all_else_is_refused() {
        let (old, new) = ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let sign = |keys: &[&str]| secrets(keys).sign("a", 7, [Bytes::from_static(BODY)].into_iter());
        let (by_old, by_both) = (sign(&[old]), sign(&[new, old]));
        assert_eq!(by_both.split(' ').count(), 2);
        for (signature, keys, id, body, is_good) in [
            (by_old.as_str(), &[old][..], "a", BODY, true),
            (&by_old, &[new, old], "a", BODY, true),
            (&by_both, &[old], "a", BODY, true),
            (&by_old.replace('=', ""), &[old], "a", BODY, true),
            (&format!("v2,x {by_old}"), &[old], "a", BODY, true),
            (&by_old, &[new], "a", BODY, false),
            (&by_old, &[], "a", BODY, false),
            (&by_old, &[old], "b", BODY, false),
            (&by_old, &[old], "a", &BODY[1..], false),
            (&by_old.replace("v1,", ""), &[old], "a", BODY, false),
            (&by_old[..20], &[old], "a", BODY, false),
            ("v1,", &[old], "a", BODY, false),
            ("", &[old], "a", BODY, false),
        ] {
            let claim = Claim::of(&headers(id, "7", signature)).expect("a claim");
            assert_eq!(secrets(keys).have_signed(&claim, body), is_good, "{signature} {keys:?} {id}");
        }
    }

    #[test]
    fn headers_that_can_be_read_in_two_ways_claim_nothing() {
        for (id, timestamp) in [("a.7", "1"), ("", "1"), ("a", "+7"), ("a", "07"), ("a", " 7"), ("a", "7.0"), ("a", "")]
        {
            assert_eq!(Claim::of(&headers(id, timestamp, "v1,AAAA")), None, "{id} {timestamp}");
        }
        assert_eq!(Claim::of(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_repeated() {
        for text in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_not base64 at all, whatever it is",
        ] {
            let error = Secret::try_from(text.to_owned()).expect_err("it is none").to_string();
            assert!(text.len() < 8 || !error.contains(&text[6..]), "{error}");
        }
    }

    fn secrets(keys: &[&str]) -> Secrets {
        let secret = |key: &&str| Secret::try_from(format!("whsec_{key}")).expect("a secret");
        Secrets(keys.iter().map(secret).collect())
    }

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let values = [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)];
        values
            .into_iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }
}
