//! What every extension must do.

use amqp_orchestrator::AmqpOrchestrator;
use rivetgun::testkit::Contract;

#[test]
fn it_keeps_the_contract() {
    Contract::of::<AmqpOrchestrator>().check();
}
