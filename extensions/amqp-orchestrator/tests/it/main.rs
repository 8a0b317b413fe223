//! The orchestrator in a whole server, with a real broker and a worker that plays Astute, on both databases.

mod bench;

mod abandoned;
mod broker;
mod chunks;
mod contract;
mod formats;
mod life;
mod replies;
mod stops;
