//! What becomes of the processes of the orchestrator `local`: their limits, and their end.

use crate::common::{cluster_with_nodes, commands, contains, work_on};
use rivetgun::testkit::on_both_databases;

#[test]
fn a_command_that_takes_more_than_its_limit_fails_and_says_which() {
    let dir = tempfile::tempdir().expect("a directory");
    for (limits, command, reason) in [
        ("memory_mb = 64", "dd if=/dev/zero of=/dev/null bs=500M count=1", "exit code 1: dd: memory exhausted"),
        ("cpu_seconds = 1", "while :; do :; done", "reached the limit cpu_seconds = 1"),
        ("open_files = 5", "exec 3</dev/null 4</dev/null 5</dev/null", "Too many open files"),
        ("file_mb = 1", "exec head -c 2000000 /dev/zero >DIR/large", "reached the limit file_mb = 1"),
        ("file_mb = 1", "head -c 2000000 /dev/zero >DIR/large; exit $?", "exit code 153: File size limit exceeded"),
        ("open_files = 4294967295", "true", "the limit open_files = 4294967295 cannot be set; lower it"),
    ] {
        let settings = format!("{}\n[orchestrators.local.limits]\n{limits}", commands(&dir, command, "true", 60));
        on_both_databases(&settings, async |server| {
            let (cluster, nodes) = cluster_with_nodes(&server, "c", 1).await;
            assert_eq!(work_on(&server, &cluster, "provision").await["status"], "error", "{limits}");
            let node = server.get(&format!("/nodes/{}", nodes[0])).await.expect(200);
            assert!(contains(&node["error_msg"], reason), "{limits}: {node}");
        });
    }
    assert_eq!(std::fs::metadata(dir.path().join("large")).expect("a file").len(), 1 << 20);
}

#[test]
fn a_command_within_its_limits_is_as_one_without() {
    let dir = tempfile::tempdir().expect("a directory");
    let command = "# Comments, too, are left\nread -r document; test -n \"$document\" && echo \"$(ulimit -n) files\" &&
        test $0 = /bin/sh && test $# = 0";
    let limits = "memory_mb = 4000\ncpu_seconds = 100\nopen_files = 100\nfile_mb = 100";
    let settings = format!("{}\n[orchestrators.local.limits]\n{limits}", commands(&dir, command, "true", 60));
    on_both_databases(&settings, async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        let task = work_on(&server, &cluster, "provision").await;
        assert_eq!(task["status"], "ready", "{task}");
        let log = server.get(&format!("/tasks/{}/log", task["id"])).await.expect(200);
        assert_eq!(log[0]["line"], "100 files");
    });
}
