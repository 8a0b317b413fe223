//! `astute-worker`: plays Astute against a broker, for whoever wants to see the orchestrator `amqp` work.

use astute_worker::{Names, Worker};
use clap::Parser;
use std::{
    io::{self, Write},
    time::Duration,
};

/// Plays Astute: takes the work that Rivetgun sends, does nothing, and reports that it is done.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The broker.
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/%2f")]
    url: String,
    /// How many seconds a step of the work takes.
    #[arg(long, default_value_t = 1.0)]
    pace: f64,
    /// The id of a node on which all work fails; can be given several times.
    #[arg(long)]
    fail: Vec<String>,
    /// The id of a node that cannot be reached; can be given several times.
    #[arg(long)]
    lose: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { url, pace, fail, lose } = Arguments::parse();
    let pace = Duration::try_from_secs_f64(pace)?;
    let worker = Worker::with_pace(&url, &Names::default(), pace);
    fail.iter().for_each(|uid| worker.fail(uid, "told to fail"));
    lose.iter().for_each(|uid| worker.lose(uid));
    // The URL holds a password.
    let broker = url.rsplit_once('@').map_or(url.as_str(), |(_, broker)| broker);
    writeln!(io::stdout(), "waiting for work from {broker}, or for that broker; end it with ctrl-c")?;
    let mut told = 0;
    while let Some(received) = worker.more_than(told).await {
        for sent in &received[told..] {
            writeln!(io::stdout(), "{} of nodes {} ({})", sent.method(), sent.uids().join(", "), sent.task_uuid())?;
        }
        told = received.len();
    }
    Ok(())
}
