//! The extension over HTTP, on both databases, with overlays in a directory of the test's own.

mod common;
mod slow_deletion;

mod deletion;
mod files;
mod git;
mod merging;
mod repos;
mod whitelist;

use config_overlay::ConfigOverlay;
use rivetgun::testkit::Contract;

#[test]
fn it_keeps_the_contract() {
    Contract::of::<ConfigOverlay>().check();
}
