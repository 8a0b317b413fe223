//! An orchestrator behind a webhook that does nothing but say so: for trying `webhook_orchestrator` out, and for tests.
//!
//! A [`Receiver`] listens in a thread of its own, so that it serves tests with and without a runtime, and outlives the
//! server that talks to it. It takes on what is signed with its secret, once for each `webhook-id`, and then reports as it
//! is told to: see [`Receiver::plays`]. What it signs and checks, it does by code of its own, and not by the extension's.
//!
//! ```no_run
//! let receiver = webhook_receiver::Receiver::start("whsec_bm90IGEgc2VjcmV0IGF0IGFsbCwganVzdCBmb3IgdHJpYWxz")?;
//! receiver.reports_to("http://127.0.0.1:8080");
//! println!("url = {:?}", receiver.url());
//! # std::io::Result::Ok(())
//! ```

mod answer;
pub mod plays;
mod receiver;
mod reports;
mod signature;

pub use answer::Answer;
pub use receiver::{Received, Receiver, Reported};
pub use signature::{Headers, Secret};
