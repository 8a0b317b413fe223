//! The address by which a node is recognised.

use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// A hardware address in its canonical form: six lower-case octets with colons, `64:c3:54:54:d2:66`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[schema(
    description = "A hardware address. It is taken with colons or hyphens and in either case, and given with colons in lower case.",
    pattern = "^\\s*[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}\\s*$",
    example = "64:c3:54:54:d2:66"
)]
pub struct MacAddress(String);

/// A text that is not a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mac address: six octets are expected, as in 64:c3:54:54:d2:66")]
pub struct InvalidMac(String);

impl MacAddress {
    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A locally administered unicast address made of the first 46 bits of `seed`: the same seed, the same address.
    #[must_use]
    pub(crate) fn locally_administered(seed: [u8; 6]) -> Self {
        let [first, rest @ ..] = seed;
        let octets = std::iter::once((first & 0xfc) | 0x02).chain(rest);
        Self(octets.map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"))
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMac;

    /// Takes `:` or `-` between the octets, and digits in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let octets: Vec<&str> = text.trim().split([':', '-']).collect();
        let well_formed = octets.len() == 6
            && octets.iter().all(|octet| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit()));
        if !well_formed {
            return Err(InvalidMac(text.to_owned()));
        }
        Ok(Self(octets.join(":").to_ascii_lowercase()))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::MacAddress;

    #[test]
    fn a_mac_has_one_canonical_form() {
        for text in ["64:C3:54:54:D2:66", "64-c3-54-54-d2-66", " 64:c3:54:54:d2:66 "] {
            assert_eq!(text.parse::<MacAddress>().expect(text).as_str(), "64:c3:54:54:d2:66");
        }
        for text in
            ["", "64:c3:54:54:d2", "64:c3:54:54:d2:6", "64:c3:54:54:d2:66:01", "64:c3:54:54:d2:gg", "é:c3:54:54:d2:66"]
        {
            assert!(text.parse::<MacAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_made_mac_is_local_and_unicast() {
        assert_eq!(MacAddress::locally_administered([0xff, 1, 2, 3, 4, 5]).as_str(), "fe:01:02:03:04:05");
        assert_eq!(MacAddress::locally_administered([0; 6]).as_str(), "02:00:00:00:00:00");
    }
}
