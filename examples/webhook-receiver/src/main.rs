//! Takes tasks on, prints them, and says after a while that they are done.

use clap::Parser;
use serde_json::{Value, json};
use std::{io, net::SocketAddr, time::Duration};
use webhook_receiver::{Receiver, plays};

/// Takes the tasks of a Rivetgun server on by webhook, prints them, and says after a while that they are done.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// The secret of `[extensions.webhook_orchestrator]`: `whsec_` and base64.
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true)]
    secret: String,
    /// Where the server is, by plain HTTP. Without it, nothing is reported unless the server's `report_url` is set: then its
    /// requests say where to report to.
    #[arg(long)]
    server: Option<String>,
    /// How many seconds the work takes.
    #[arg(long, default_value_t = 2.0)]
    takes: f32,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "that is what it is for")]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let receiver = Receiver::start_at(arguments.listen, &arguments.secret)?;
    receiver.plays(plays::done);
    // There are two reports about a task.
    receiver.pauses(Duration::try_from_secs_f32(arguments.takes / 2.0).unwrap_or_default());
    if let Some(server) = &arguments.server {
        receiver.reports_to(server);
    }
    println!("listening on {}", receiver.url());
    if arguments.server.is_none() {
        println!("without --server nothing is reported, unless `report_url` is set there");
    }
    let (mut received, mut reported) = (0, 0);
    loop {
        tokio::select! {
            all = receiver.received_after(received) => for request in all {
                received += 1;
                println!("{} {}", request.answered, told(&request.json));
            },
            all = receiver.reported_after(reported) => for sent in all {
                reported += 1;
                println!("{} {}: {}", sent.status, sent.task, sent.report);
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// A request without the data of its nodes, which are long.
fn told(request: &Value) -> Value {
    let mut told = request.clone();
    let documents = told.pointer_mut("/data/nodes").and_then(Value::as_object_mut);
    for (_, document) in documents.into_iter().flatten() {
        *document = json!(format!("{} bytes", document.to_string().len()));
    }
    told
}
