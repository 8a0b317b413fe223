//! The orchestrator `amqp`: hands work to Astute over RabbitMQ, and hears from it how the work goes.
//!
//! What goes out: `messages` divides a task among messages and keeps which nodes are in which, `envelope` writes one, and
//! `broker` publishes it. What comes in: `listen` takes it, `reply` reads it, `told` tells what it means. What
//! is given up goes through `stop`, or through `abandon` where nobody waits for it. Nothing is published before it is written
//! down, and nothing is acknowledged before what it brought is committed.

mod abandon;
mod broker;
mod dispatch;
mod envelope;
mod graph;
mod listen;
mod m20261121_000001_create_messages;
mod messages;
mod patience;
mod reply;
mod settings;
mod stop;
mod told;

use broker::Broker;
use rivetgun::prelude::*;
use settings::AmqpSettings;

/// The extension `amqp_orchestrator`.
#[derive(Debug, Default)]
pub struct AmqpOrchestrator;

#[extension(name = "amqp_orchestrator", settings = AmqpSettings)]
impl Extension for AmqpOrchestrator {
    fn migrations(&self) -> Migrations {
        migrations![m20261121_000001_create_messages]
    }

    fn orchestrators(&self) -> Orchestrators {
        Orchestrators::new().with("amqp", Amqp::default())
    }
}

/// The orchestrator `amqp`.
#[derive(Debug, Default)]
struct Amqp {
    broker: Broker,
}

#[async_trait]
impl Orchestrator for Amqp {
    async fn dispatch(&self, cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Receipt> {
        dispatch::dispatch(&self.broker, cx, dispatch).await
    }

    async fn abandon(&self, cx: &OrchestratorContext, task: Uuid) -> Result<()> {
        abandon::abandon(&self.broker, cx, task).await
    }

    async fn listen(&self, cx: &OrchestratorContext) -> Result<()> {
        listen::listen(&self.broker, cx).await
    }
}
