//! The extension against a receiver that listens on this machine, and checks what comes with code of its own.

mod common;

mod delivery;
mod reports;
mod work;

use rivetgun::testkit::Contract;
use webhook_orchestrator::WebhookOrchestrator;

#[test]
fn it_keeps_the_contract() {
    Contract::of::<WebhookOrchestrator>().check();
}
