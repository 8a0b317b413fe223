//! Signatures of messages, made and checked: those of <https://www.standardwebhooks.com>.

use crate::secret::{BASE64, Secret, Secrets};
use base64::Engine;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use sha2::{Digest, Sha256};

/// The header with the id of a message: the same whenever the same message is sent.
pub(crate) const ID: HeaderName = HeaderName::from_static("webhook-id");
/// The header with the time of its signing, in seconds since 1970.
pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The header with its signatures.
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// A message that says to be signed, before anybody looked at its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its id: letters, digits, `_` and `-`.
    pub id: String,
    /// When it says to be signed, in seconds since 1970.
    pub timestamp: i64,
    signatures: Vec<Vec<u8>>,
}

impl Secrets {
    /// The three headers of a message, with one signature by each secret: the receiver needs to know one of them. That takes
    /// as long as the body is large. The id is made of letters, digits, `_` and `-`.
    ///
    /// # Errors
    /// When the id cannot stand in a header.
    pub fn sign(
        &self,
        id: &str,
        timestamp: i64,
        body: impl Iterator<Item = Bytes>,
    ) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut macs: Vec<Hmac<Sha256>> = self.all().map(|secret| begun(secret, id, timestamp)).collect();
        for chunk in body {
            macs.iter_mut().for_each(|mac| mac.update(&chunk));
        }
        let signatures = macs.into_iter().map(|mac| format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())));
        let signatures = signatures.collect::<Vec<_>>().join(" ");
        Ok(HeaderMap::from_iter([
            (ID, HeaderValue::from_str(id)?),
            (TIMESTAMP, HeaderValue::from(timestamp)),
            (SIGNATURE, HeaderValue::try_from(signatures)?),
        ]))
    }

    /// Whether a message is signed with one of the secrets.
    #[must_use]
    pub fn have_signed(&self, claim: &Claim, body: &[u8]) -> bool {
        self.all().any(|secret| {
            let mac = begun(secret, &claim.id, claim.timestamp).chain_update(body);
            // Compared in constant time.
            claim.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        })
    }
}

impl Claim {
    /// What the headers claim; nothing where they are not there, or not as they must be.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, timestamp) = (text(ID)?, text(TIMESTAMP)?);
        let is_canonical = |parsed: &i64| parsed.to_string() == timestamp;
        let timestamp = timestamp.parse().ok().filter(is_canonical)?;
        let signature = |text: &str| BASE64.decode(text.strip_prefix("v1,")?).ok();
        let signatures = text(SIGNATURE)?.split(' ').filter_map(signature).collect();
        is_id(id).then(|| Self { id: id.to_owned(), timestamp, signatures })
    }

    /// What tells this message from every other, whichever signatures it has.
    #[must_use]
    pub fn digest(&self, body: &[u8]) -> String {
        let digest = Sha256::new().chain_update(signed_head(&self.id, self.timestamp)).chain_update(body).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// With a dot in it, where the id ends and the time begins would be anybody's guess, and one signature good for both.
fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn begun(secret: &Secret, id: &str, timestamp: i64) -> Hmac<Sha256> {
    secret.mac().clone().chain_update(signed_head(id, timestamp))
}

/// What is signed in front of the body.
fn signed_head(id: &str, timestamp: i64) -> String {
    format!("{id}.{timestamp}.")
}

#[cfg(test)]
mod tests {
    use super::{Claim, ID, SIGNATURE, TIMESTAMP};
    use crate::{Secret, Secrets};
    use bytes::Bytes;
    use reqwest::header::HeaderMap;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn the_example_of_the_standard_has_the_signature_that_the_standard_says() {
        let body = [&BODY[..5], &BODY[5..]].into_iter().map(Bytes::from_static);
        let secrets = secrets(&["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let headers = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).expect("an id");
        assert!(headers[ID] == "msg_p5jXN8AQM9LWM0D4loKWxJek" && headers[TIMESTAMP] == "1614265330");
        assert_eq!(headers[SIGNATURE], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn one_good_signature_among_several_is_enough_and_all_else_is_refused() {
        let (old, new) = ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let sign = |keys: &[&str]| {
            let headers = secrets(keys).sign("a", 7, [Bytes::from_static(BODY)].into_iter()).expect("an id");
            headers[SIGNATURE].to_str().expect("a text").to_owned()
        };
        let (by_old, by_both) = (sign(&[old]), sign(&[new, old]));
        assert_eq!(by_both.split(' ').count(), 2);
        for (signature, keys, id, body, is_good) in [
            (by_old.as_str(), &[old][..], "a", BODY, true),
            (&by_old, &[new, old], "a", BODY, true),
            (&by_both, &[old], "a", BODY, true),
            (&by_old.replace('=', ""), &[old], "a", BODY, true),
            (&format!("v2,x {by_old}"), &[old], "a", BODY, true),
            (&by_old, &[new], "a", BODY, false),
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

    fn secrets(keys: &[&str]) -> Secrets {
        let secret = |key: &&str| Secret::try_from(format!("whsec_{key}")).expect("a secret");
        Secrets::new(keys.iter().map(secret).collect(), []).expect("at least one")
    }

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let values = [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)];
        values.into_iter().map(|(name, value)| (name, value.parse().expect("a value"))).collect()
    }
}
