#![doc = include_str!("../README.md")]

mod address;
mod answer;
mod client;
mod secret;
mod signature;
mod url;

pub use address::{NotPublic, Reach};
pub use answer::{Failure, may_pass, reason, retry_after, told};
pub use client::{Client, builder};
pub use reqwest;
pub use secret::{NoSecret, NoSecrets, Secret, SecretSource, Secrets};
pub use signature::Claim;
pub use url::HttpUrl;
