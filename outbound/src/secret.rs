//! The secrets that both sides of a message know, as they stand in settings and files.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit};
use serde::Deserialize;
use sha2::Sha256;
use std::{fmt, io, path::Path};

/// What the standard asks of a secret, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// With or without the `=` at its end: people leave it out.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that both sides know: `whsec_` and the base64 of 24 to 64 bytes. It is not shown.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Secret(Hmac<Sha256>);

/// Why a text is no secret. The text itself is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum NoSecret {
    /// It begins otherwise.
    #[error("a secret begins with `whsec_`, and base64 follows")]
    Prefix,
    /// Something else than base64 follows.
    #[error("what follows `whsec_` is not base64")]
    Base64,
    /// It is too short or too long.
    #[error(
        "a secret is 24 to 64 bytes long, and this is {0}; `openssl rand -base64 32` makes one to put behind `whsec_`"
    )]
    Length(usize),
}

/// All secrets that are good at this time, one at least; the first is the present one, the others are those of before a
/// rotation.
#[derive(Debug, Clone)]
pub struct Secrets(Vec<Secret>);

/// Where a section of the settings has its secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SecretSource<'s> {
    /// `secret`
    pub secret: Option<&'s Secret>,
    /// `secret_file`: a file of secrets, one a line, the present one first. It is read each time, so that a rotation needs
    /// no restart.
    pub file: Option<&'s Path>,
    /// `previous_secrets`
    pub previous: &'s [Secret],
}

/// Why there are no secrets. What it shows is for the operator: a path may stand in it.
#[derive(Debug, thiserror::Error)]
pub enum NoSecrets {
    /// None is set.
    #[error("no `secret` or `secret_file` is set")]
    Unset,
    /// The file cannot be read.
    #[error("the `secret_file` {0} cannot be read: {1}")]
    Unreadable(String, #[source] io::Error),
    /// The file has none.
    #[error("the `secret_file` {0} holds no secret")]
    Empty(String),
    /// A line of the file is no secret.
    #[error("line {1} of the `secret_file` {0} is no secret: {2}")]
    NoSecret(String, usize, #[source] NoSecret),
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

impl Secret {
    pub(crate) fn mac(&self) -> &Hmac<Sha256> {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Secrets {
    /// The present secrets, and those of before; nothing where none is present.
    #[must_use]
    pub fn new(present: Vec<Secret>, previous: impl IntoIterator<Item = Secret>) -> Option<Self> {
        (!present.is_empty()).then(|| Self(present.into_iter().chain(previous).collect()))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }
}

impl SecretSource<'_> {
    /// The secrets that are good now.
    ///
    /// # Errors
    /// When there is none, or the file is of no use.
    pub async fn read(&self) -> Result<Secrets, NoSecrets> {
        match self.file {
            Some(path) => self.with_file(path, tokio::fs::read_to_string(path).await),
            None => self.with(Vec::new()).ok_or(NoSecrets::Unset),
        }
    }

    /// The same, where blocking is allowed: while a server starts.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_blocking(&self) -> Result<Secrets, NoSecrets> {
        match self.file {
            Some(path) => self.with_file(path, std::fs::read_to_string(path)),
            None => self.with(Vec::new()).ok_or(NoSecrets::Unset),
        }
    }

    fn with_file(&self, path: &Path, text: io::Result<String>) -> Result<Secrets, NoSecrets> {
        let shown = || path.display().to_string();
        let text = text.map_err(|error| NoSecrets::Unreadable(shown(), error))?;
        let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let secret = |(line, number): (&str, usize)| {
            Secret::try_from(line.to_owned()).map_err(|error| NoSecrets::NoSecret(shown(), number, error))
        };
        self.with(lines.map(secret).collect::<Result<_, _>>()?).ok_or_else(|| NoSecrets::Empty(shown()))
    }

    fn with(&self, of_file: Vec<Secret>) -> Option<Secrets> {
        Secrets::new(self.secret.cloned().into_iter().chain(of_file).collect(), self.previous.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

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
}
