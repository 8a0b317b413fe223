//! The contract of the framework.

use rivetgun::testkit::Contract;
use volume_manager::VolumeManager;

#[test]
fn it_keeps_the_contract() {
    Contract::of::<VolumeManager>().check();
}
