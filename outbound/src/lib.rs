//! What extensions call other systems with, so that all of them do it in the same way.
//!
//! A [`Client`] posts bytes. It trusts whom the system trusts, follows no redirects, tries nothing again, and goes to
//! addresses of the internet only, unless the settings allow others ([`Reach`]). What comes back is either good, or a
//! [`Failure`] that says whether it may pass. [`HttpUrl`] is a URL of the settings, and [`Secrets`] sign what is posted as
//! [Standard Webhooks](https://www.standardwebhooks.com) says. What can be shown or logged of all these holds no secret.
//!
//! ```no_run
//! use rivetgun_outbound::{Client, HttpUrl, Reach, builder, reqwest::header::HeaderMap};
//!
//! # async fn tell() -> Result<(), Box<dyn std::error::Error>> {
//! let bell = HttpUrl::try_from("https://bell.example.org/ring".to_owned())?;
//! let client = Client::new(builder("rivetgun-bell/1.0"), Reach::Internet)?;
//! match client.post(bell.url(), HeaderMap::new(), "three times").await {
//!     Ok(status) => println!("{bell} answered {status}"),
//!     Err(failure) if failure.may_pass() => println!("{bell} may ring later: {failure}"),
//!     Err(failure) => println!("{bell} never will: {failure}"),
//! }
//! # Ok(())
//! # }
//! ```

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
