//! Plays Astute against a RabbitMQ server, to try and to test the orchestrator `amqp`; and starts such a server for tests.
//!
//! ```no_run
//! use astute_worker::{Names, RabbitMq, Worker};
//!
//! # async fn example() -> Result<(), String> {
//! let broker = RabbitMq::start()?;
//! let names = Names::unique();
//! println!("{}", names.settings(&broker.url())); // for the file of settings of a Rivetgun server
//! let worker = Worker::start(&broker.url(), &names);
//! worker.fail("7", "no disk");
//! let sent = worker.received(1).await; // waits for the first message
//! # Ok(()) }
//! ```

mod gate;
mod link;
mod names;
mod rabbitmq;
mod received;
mod work;
mod worker;

pub use gate::Gate;
pub use names::Names;
pub use rabbitmq::{RabbitMq, shared_rabbitmq};
pub use received::Received;
pub use worker::Worker;
