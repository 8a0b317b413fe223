//! `rivetgun demo` shows the main job, and leaves nothing behind.

use crate::process::{finish, rivetgun};
use std::net::TcpListener;

#[test]
fn the_demo_shows_every_part_of_the_main_job_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let told = finish(rivetgun(dir.path()).args(["demo", "--exit"])).expect(0);
    for part in [
        " migrations applied",
        "extension additional_logger 1.0.0",
        "node 4 storage",
        "+ /time_started  \"deployment started at ",
        "-d '{\"repo_name\":\"sites\",\"env_id\":1,\"path\":\"sites\"}'   201",
        "deployment data, what all nodes share, by config_overlay/Overlay",
        "+ /storage/osd_pool_size  3",
        "deployment data, node 4 (storage), by config_overlay/Overlay",
        "ready Provision of cluster 'sample' is done",
        "ready Deployment of cluster 'sample' is done",
        "/api/v1/additional_logger/1   200",
        "+ /node_volumes  [{\"type\":\"disk\",\"id\":\"sda\"",
        "+ /storage/per_pool_pg_nums  {",
        "/api/v1/nodes/1/disks   200",
        "done in ",
    ] {
        assert!(told.stdout.contains(part), "{part:?} is not in:\n{}", told.stdout);
    }
    assert!(!told.stdout.contains('\u{1b}'), "colours end where no terminal is:\n{}", told.stdout);
    assert_eq!(told.stderr, "");
    assert_eq!(dir.path().read_dir().expect("the directory").count(), 0, "files are left behind");
}

#[test]
fn the_demo_tells_when_its_address_is_taken() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let told = finish(rivetgun(dir.path()).args(["demo", "--exit", "--listen", &address])).expect(1);
    told.tells(&["RG0204", &address, "--listen"]);
}
