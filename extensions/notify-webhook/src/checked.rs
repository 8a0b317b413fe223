//! Settings that may be wrong without hiding what else is.

use serde::{Deserialize, Deserializer};
use std::fmt;

/// A setting that is written as a text, or what is wrong with the text. So all that is wrong can be told at once.
pub(crate) struct Checked<T>(Result<T, String>);

impl<T> Checked<T> {
    pub(crate) fn get(&self) -> Result<&T, &str> {
        self.0.as_ref().map_err(String::as_str)
    }
}

impl<'de, T> Deserialize<'de> for Checked<T>
where
    T: TryFrom<String, Error: fmt::Display>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(T::try_from(text).map_err(|error| error.to_string())))
    }
}

/// Without the value, which may be secret.
impl<T> fmt::Debug for Checked<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(_) => formatter.write_str("set"),
            Err(why) => write!(formatter, "wrong: {why}"),
        }
    }
}
