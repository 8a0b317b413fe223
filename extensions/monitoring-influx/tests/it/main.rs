//! The extension against a server that listens on this machine, and answers as the test wants.

mod influx;
mod written;

use monitoring_influx::MonitoringInflux;
use rivetgun::testkit::Contract;

#[test]
fn it_keeps_the_contract() {
    Contract::of::<MonitoringInflux>().check();
}
