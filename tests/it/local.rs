//! What becomes of the processes of the orchestrator `local`: their limits, and their end.

use crate::common::{assign, cluster_with_nodes, commands, contains, is_gone, node_named, until, work_on};
use rivetgun::testkit::{TestServer, on_both_databases};
use serde_json::Value;
use std::{fs, path::Path};

/// Starts a child and a grandchild, and writes the ids of all three to a file with the name of the node. The family of a
/// node that is called `deaf` does not hear SIGTERM.
const FAMILY: &str = r#"
    test "$RIVETGUN_NODE_NAME" != deaf || trap '' TERM
    sleep 1000 & child=$!
    (sleep 1000 & echo $$ $child $! >"DIR/$RIVETGUN_NODE_NAME.part"
    mv "DIR/$RIVETGUN_NODE_NAME.part" "DIR/$RIVETGUN_NODE_NAME"; wait) & wait; sleep 1000"#;

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
    assert_eq!(fs::metadata(dir.path().join("large")).expect("a file").len(), 1 << 20);
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

#[test]
fn a_stop_ends_commands_with_all_that_they_started_and_is_not_asked_for_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, FAMILY, "true", 60), async |server| {
        let (cluster, task) = begin(&server).await;
        let families = [ids_in(&dir.path().join("polite")).await, ids_in(&dir.path().join("deaf")).await];
        let stop = server.put(&format!("/clusters/{cluster}/stop"), Value::Null).await.expect(202);
        until("the polite one ends", async || families[0].iter().all(|id| is_gone(id))).await;
        let problem = server.put(&format!("/clusters/{cluster}/stop"), Value::Null).await.expect(409);
        assert!(contains(&problem["detail"], "is stopping it already"), "{problem}");
        let stop = server.ended(&stop).await;
        assert_eq!(stop["status"], "ready", "{stop}");
        assert!(families.iter().flatten().all(|id| is_gone(id)), "when it is stopped, nothing runs any more");
        assert_eq!(server.ended(&task).await["status"], "error");
        assert_eq!(fs::read_dir(server.state_dir().join("running")).expect("a folder").count(), 0);
        let problem = server.put(&format!("/clusters/{cluster}/stop"), Value::Null).await.expect(409);
        assert!(contains(&problem["detail"], "nothing runs"), "{problem}");
    });
}

#[test]
fn a_task_that_is_deleted_by_force_takes_deaf_commands_with_it_too() {
    let dir = tempfile::tempdir().expect("a directory");
    on_both_databases(&commands(&dir, FAMILY, "true", 60), async |server| {
        let (_, task) = begin(&server).await;
        let families = [ids_in(&dir.path().join("polite")).await, ids_in(&dir.path().join("deaf")).await];
        server.delete(&format!("/tasks/{}?force=true", task["id"])).await.expect(204);
        until("all of them end", async || families.iter().flatten().all(|id| is_gone(id))).await;
    });
}

#[test]
fn what_a_command_started_may_clean_up_even_where_the_command_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let child = r#"trap "sleep 0.5; echo >DIR/clean; exit" TERM; echo >DIR/ready; while :; do sleep 0.02; done"#;
    let provision = format!("sh -c '{child}'; true");
    on_both_databases(&commands(&dir, &provision, "true", 60), async |server| {
        let (cluster, _) = cluster_with_nodes(&server, "c", 1).await;
        server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
        until("the child runs", async || dir.path().join("ready").exists()).await;
        let stop = server.put(&format!("/clusters/{cluster}/stop"), Value::Null).await.expect(202);
        assert_eq!(server.ended(&stop).await["status"], "ready");
        for file in ["ready", "clean"] {
            fs::remove_file(dir.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    });
}

/// Begins to provision two nodes; the cluster, and the task.
async fn begin(server: &TestServer) -> (Value, Value) {
    let cluster = server.create_cluster("c").await["id"].clone();
    let nodes = [node_named(server, 1, "polite").await, node_named(server, 2, "deaf").await];
    assign(server, &cluster, &nodes, &[]).await;
    let task = server.put(&format!("/clusters/{cluster}/provision"), Value::Null).await.expect(202);
    (cluster, task)
}

/// The ids in a file, once it is there; it is not there any more then.
async fn ids_in(path: &Path) -> Vec<String> {
    until("the command tells its family", async || path.exists()).await;
    let ids = fs::read_to_string(path).expect("a file");
    fs::remove_file(path).expect("a file");
    ids.split_whitespace().map(str::to_owned).collect()
}
