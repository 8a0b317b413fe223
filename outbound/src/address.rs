//! Which addresses requests may go to. Who can set a URL, or the DNS record behind it, must not reach by it what only this
//! machine reaches: services without a password on it and beside it, and the data of its cloud.

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// IPv4 networks that are not the internet: the registry of special addresses of IANA, and multicast.
const PRIVATE_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),        // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, and the metadata of clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // relays of 6to4
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, and broadcast
    (Ipv4Addr::new(168, 63, 129, 16), 32), // the host of machines in Azure
];

/// What is public of IPv6, and what is not within it.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const PRIVATE_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, which holds any IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];
/// Addresses of IPv4 written as such of IPv6, for translators.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x0064, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether an address is one of the internet, and of nobody's own network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !PRIVATE_V4.into_iter().any(|network| is_in_v4(address, network)),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public(mapped.into()),
            None if is_in_v6(address, NAT64) => {
                let [.., a, b, c, d] = address.octets();
                is_public(Ipv4Addr::new(a, b, c, d).into())
            }
            None => is_in_v6(address, PUBLIC_V6) && !PRIVATE_V6.into_iter().any(|network| is_in_v6(address, network)),
        },
    }
}

fn is_in_v4(address: Ipv4Addr, (network, length): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()) >> (32 - length) == 0
}

fn is_in_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()) >> (128 - length) == 0
}

/// How far requests may go: the setting `allow_private_addresses`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "bool")]
pub enum Reach {
    /// To addresses of the internet only (`false`).
    #[default]
    Internet,
    /// To this machine, and to networks of one's own, as well (`true`).
    Anywhere,
}

impl Reach {
    /// Refuses a URL whose host is written as an address out of reach. A name is looked at when it is resolved.
    ///
    /// # Errors
    /// When it is out of reach.
    pub fn check(self, url: &Url) -> Result<(), NotPublic> {
        match self {
            Self::Internet => check_literal(url),
            Self::Anywhere => Ok(()),
        }
    }
}

impl From<bool> for Reach {
    fn from(allow_private_addresses: bool) -> Self {
        if allow_private_addresses { Self::Anywhere } else { Self::Internet }
    }
}

/// There is no address that requests may go to. Which section the setting belongs to that the text names, the caller adds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} is not on the internet but at {address}: where that is meant, write `allow_private_addresses = true`")]
pub struct NotPublic {
    host: String,
    address: IpAddr,
}

/// Refuses a URL whose host is written as an address, and one that is not public: no resolver ever hears of it.
fn check_literal(url: &Url) -> Result<(), NotPublic> {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) if !is_public(address) => Err(NotPublic { host: host.to_owned(), address }),
        _ => Ok(()),
    }
}

/// Finds public addresses only. What it finds is what is connected to, so that a name cannot mean another address between
/// the check and its use.
#[derive(Debug)]
pub(crate) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let public: Vec<SocketAddr> = found.iter().copied().filter(|address| is_public(address.ip())).collect();
            match found.first() {
                Some(private) if public.is_empty() => {
                    Err(NotPublic { host: host.to_owned(), address: private.ip() }.into())
                }
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{check_literal, is_public};

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.15",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(is_public(address.parse().expect("an address")), "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ffff::1",
        ] {
            assert!(!is_public(address.parse().expect("an address")), "{address}");
        }
    }

    #[test]
    fn addresses_that_stand_in_a_url_are_found_however_they_are_written() {
        for (url, is_allowed) in [
            ("http://127.0.0.1/", false),
            ("http://user:password@127.0.0.1:8080/", false),
            ("http://0x7f.1/", false),
            ("http://2130706433/", false),
            ("http://0177.0.0.1/", false),
            ("http://127.1./", false),
            ("http://[::1]/", false),
            ("http://[::ffff:10.0.0.1]:80/", false),
            ("https://１２７.０.０.１/", false),
            ("https://1.1.1.1/", true),
            ("https://[2606:4700:4700::1111]/", true),
            // Names are looked at when they are resolved.
            ("https://localhost/", true),
        ] {
            assert_eq!(check_literal(&url.parse().expect("a URL")).is_ok(), is_allowed, "{url}");
        }
    }
}
