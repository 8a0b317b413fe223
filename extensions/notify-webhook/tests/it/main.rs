//! The extension against receivers that listen on this machine, and check what comes with code of their own.

mod common;

mod delivery;
mod order;
mod refused;

use notify_webhook::NotifyWebhook;
use rivetgun::testkit::Contract;

#[test]
fn it_keeps_the_contract() {
    Contract::of::<NotifyWebhook>().check();
}
