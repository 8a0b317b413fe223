//! An orchestrator anywhere behind a URL: tasks go to it by signed HTTP requests, and it reports by signed ones.
//!
//! Both follow [Standard Webhooks](https://www.standardwebhooks.com). The crate's README tells what is sent, what is taken,
//! and what is tried again.

mod client;
mod deliveries;
mod m20261121_000001_create_deliveries;
mod message;
mod reports;
mod settings;
mod webhook;

use rivetgun::prelude::*;
use webhook::Webhook;

pub use settings::WebhookSettings;

/// The extension `webhook_orchestrator`, whose orchestrator clusters call `webhook`.
#[derive(Debug, Default)]
pub struct WebhookOrchestrator;

#[extension(name = "webhook_orchestrator", settings = WebhookSettings)]
impl Extension for WebhookOrchestrator {
    fn urls(&self) -> Urls {
        urls! {
            // Anybody may call it, since the signature is what tells who that is: without one there is nothing but 401.
            r"/tasks/(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/report/?" => post(reports::take).role(Role::Public),
        }
    }

    fn migrations(&self) -> Migrations {
        migrations![m20261121_000001_create_deliveries]
    }

    fn orchestrators(&self) -> Orchestrators {
        Orchestrators::new().with("webhook", Webhook::default())
    }
}
