//! Real deployment documents go in, and come out of the API as they went in.

use crate::{
    common::{contains, each, enable, list, shared},
    process::{database_of, finish, rivetgun, run},
};
use rivetgun::testkit::{TestServer, skip};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::{TempDir, tempdir};

/// What Rivetgun adds to a document that does not have it.
const OWN_KEYS: [&str; 4] = ["name", "hostname", "mac", "ip"];

#[test]
fn the_documents_of_a_small_cloud_come_back_as_they_went_in() {
    documents_come_back("neut_vlan.ceph-", 3);
}

#[test]
fn the_documents_of_a_larger_cloud_come_back_as_they_went_in() {
    documents_come_back("neut_tun.ceph.murano.sahara.ceil-", 6);
}

fn documents_come_back(prefix: &str, count: usize) {
    let Some(folder) = shared("deployments") else {
        return skip("../shared/data/deployments", "the folder is not there");
    };
    let files = fs::read_dir(folder).expect("the folder can be read").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = files.filter(|path| file_name(path).starts_with(prefix)).collect();
    files.sort();
    assert_eq!(files.len(), count);
    let dir = dir();
    let finished = import(&dir, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>(), "ceph").expect(0);
    assert!(finished.stdout.contains(&format!("imported {count} nodes")), "{}", finished.stdout);

    with_server(&dir, async |server| {
        let cluster = server.get("/clusters").await.expect(200)[0].clone();
        let defaults = format!("/clusters/{}/orchestrator/deployment/defaults?merged=true", cluster["id"]);
        let data = server.get(&defaults).await.expect(200);
        assert_eq!(list(&data).len(), count);
        for (path, found) in files.iter().zip(list(&data)) {
            let sent_in = parse(path);
            for key in added(&sent_in, found) {
                assert!(OWN_KEYS.contains(&key.as_str()), "{key} was added to {}", path.display());
            }
            for (key, value) in &sent_in {
                assert_eq!(&found[key], value, "{key} of {}", path.display());
            }
        }
        let nodes = server.get("/nodes").await.expect(200);
        for (path, node) in files.iter().zip(list(&nodes)) {
            let document = Value::Object(parse(path));
            let fqdn = document["fqdn"].as_str().expect("a text");
            assert_eq!(fqdn.split('.').next(), node["hostname"].as_str());
            assert_eq!(node["pending_roles"], document["roles"]);
            assert_eq!((&node["cluster"], &node["status"]), (&cluster["id"], &json!("discover")));
        }

        enable(&server, &cluster["id"], &["additional_logger"]).await;
        let stamped = server.get(&defaults).await.expect(200);
        for (before, after) in list(&data).iter().zip(list(&stamped)) {
            let before = before.as_object().expect("an object");
            assert_eq!(added(before, after), ["time_started"]);
            assert!(before.iter().all(|(key, value)| after[key] == *value));
        }
    });
}

#[test]
fn the_disks_of_a_document_become_those_of_its_node() {
    let dir = dir();
    let of_agent =
        "fqdn: a.example.org\ndisks: [{name: sda, size: 1073741824}]\nnode_volumes: [{type: disk, id: x, size: 7}]\n";
    let of_volumes = "fqdn: b.example.org
node_volumes:\n  - {type: disk, id: disk/by-path/x, name: sda, size: 1024, extra: [disk/by-id/y], volumes: []}
  - {type: disk, id: sdy, size: 17592186044416}\n  - {type: vg, id: os}\n  - nonsense\n";
    let nothing = "fqdn: c.example.org\ndisks: many\nnode_volumes: {a: 1}\n";
    let files: Vec<PathBuf> = [("a", of_agent), ("b", of_volumes), ("c", nothing)]
        .into_iter()
        .map(|(name, text)| file(&dir, &format!("{name}.yaml"), text))
        .collect();
    import(&dir, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>(), "c").expect(0);
    with_server(&dir, async |server| {
        let nodes = server.get("/nodes").await.expect(200);
        let disks: Vec<&Value> = list(&nodes).iter().map(|node| &node["meta"]["disks"]).collect();
        assert_eq!(disks[0], &json!([{"name": "sda", "size": 1_073_741_824}]));
        let named = json!({"disk": "disk/by-path/x", "name": "sda", "size": 1_073_741_824, "extra": ["disk/by-id/y"]});
        let too_large = json!({"disk": "sdy", "name": null, "size": u64::MAX, "extra": null});
        assert_eq!(disks[1], &json!([named, too_large]));
        assert_eq!(disks[2], &Value::Null);
    });
}

#[test]
fn a_file_that_is_no_document_is_told_with_its_place_and_nothing_is_written() {
    let dir = dir();
    let good = file(&dir, "good.yaml", "uid: '1'\nfqdn: a.example.org\n");
    let long = "[".repeat(100_000);
    for (name, text, parts) in [
        ("bad.yaml", "uid: '1'\nfqdn: [unclosed\n", &["line"][..]),
        ("tabs.yaml", "a:\n\t- b\n", &["line"]),
        ("list.yaml", "- a\n- b\n", &[]),
        ("text.yaml", "just a text\n", &[]),
        ("number.yaml", "5\n", &[]),
        ("empty.yaml", "", &[]),
        ("comment.yaml", "# nothing\n", &[]),
        ("null.yaml", "~\n", &[]),
        ("two.yaml", "a: 1\n---\nb: 2\n", &[]),
        ("deep.yaml", &long, &[]),
        ("mac.yaml", "fqdn: b.example.org\nmac: nonsense\n", &["nonsense"]),
        ("settings.yaml", "log: info\nlisten: '127.0.0.1:8000'\n", &["names no node", "`fqdn`"]),
        ("host.yaml", "fqdn: 'not a host.example.org'\n", &["not a host"]),
        ("bomb.yaml", &bomb(), &[]),
    ] {
        let bad = file(&dir, name, text);
        let finished = import(&dir, &[&good, &bad], "c").expect(1);
        finished.tells(&[name]);
        finished.tells(parts);
    }
    fs::write(dir.path().join("bytes.yaml"), [0xff, 0xfe, 0x00, 0x61]).expect("a file");
    import(&dir, &[&good, &dir.path().join("bytes.yaml")], "c").expect(1).tells(&["bytes.yaml"]);
    import(&dir, &[&good, &dir.path().join("missing.yaml")], "c").expect(1).tells(&["missing.yaml", "No such file"]);
    import(&dir, &[&good, dir.path()], "c").expect(1).tells(&[&dir.path().display().to_string()]);
    finish(rivetgun(dir.path()).args(["import", "--cluster", "c"])).expect(2);
    is_empty(&dir);
}

#[test]
fn documents_that_do_not_fit_together_are_refused_and_nothing_is_written() {
    let dir = dir();
    let first = file(&dir, "first.yaml", "fqdn: a.example.org\nmac: '02:00:00:00:00:01'\n");
    let same_mac = file(&dir, "same-mac.yaml", "fqdn: b.example.org\nmac: '02:00:00:00:00:01'\n");
    let same_host = file(&dir, "same-host.yaml", "fqdn: a.example.org\nmac: '02:00:00:00:00:02'\n");
    import(&dir, &[&first, &same_mac], "c").expect(1).tells(&[
        "same-mac.yaml",
        "02:00:00:00:00:01",
        "nothing was imported",
    ]);
    import(&dir, &[&first, &same_host], "c").expect(1).tells(&["same-host.yaml", "duplicate hostname"]);
    import(&dir, &[&first, &first], "c").expect(1).tells(&["first.yaml"]);
    import(&dir, &[&first], "").expect(1).tells(&["1 to 100 characters"]);
    is_empty(&dir);

    import(&dir, &[&first], "c").expect(0);
    import(&dir, &[&same_host], "c").expect(1).tells(&["'c' already exists"]);
    import(&dir, &[&first], "other").expect(1).tells(&["first.yaml", "already exists"]);
    with_server(&dir, async |server| {
        assert_eq!(each(&server.get("/clusters").await.expect(200), "name"), ["c"]);
        assert_eq!(list(&server.get("/nodes").await.expect(200)).len(), 1);
    });
}

#[test]
fn what_rivetgun_needs_to_know_is_found_in_the_document() {
    let dir = dir();
    let with_mac = "fqdn: a.example.org\nuser_node_name: A\nroles: [ceph, compute]\nsame: {x: 1}\nother: 1
network_scheme:\n  interfaces:\n    eth0: {mac: ''}\n    eth1: {mac: '02:AA:00:00:00:01'}
  endpoints:\n    br-fw-admin:\n      IP: [10.20.0.7/24]\n";
    let without =
        "fqdn: b.example.org\nsame: {x: 1}\nother: 2\nkey: first\nkey: last\nyes_no: yes\noctal: 0644\nnothing: ~
date: 2001-01-01\nlarge: 18446744073709551615\nanchor: &a {y: 1}\nalias: *a\ninterfaces: [{mac_address: null}]\n";
    let (first, second) = (file(&dir, "1.yaml", with_mac), file(&dir, "2.yaml", without));
    import(&dir, &[&first, &second], "c").expect(0);
    with_server(&dir, async |server| {
        let nodes = server.get("/nodes").await.expect(200);
        assert_eq!(each(&nodes, "name"), ["A", "b"]);
        assert_eq!(each(&nodes, "hostname"), ["a", "b"]);
        assert_eq!((&nodes[0]["mac"], &nodes[0]["ip"]), (&json!("02:aa:00:00:00:01"), &json!("10.20.0.7")));
        assert_eq!(nodes[0]["pending_roles"], json!(["ceph", "compute"]));
        let made = nodes[1]["mac"].as_str().expect("a text");
        let first_octet = u8::from_str_radix(&made[..2], 16).expect("an octet");
        assert_eq!(first_octet & 0b11, 0b10, "{made} is locally administered and unicast");
        let cluster = server.get("/clusters").await.expect(200)[0]["id"].clone();
        let attributes = server.get(&format!("/clusters/{cluster}/attributes")).await.expect(200);
        assert_eq!(attributes, json!({"same": {"x": 1}}), "what is equal is the cluster's");
        let path = format!("/clusters/{cluster}/orchestrator/deployment/defaults");
        let data = server.get(&path).await.expect(200);
        let own = &data["nodes"][nodes[1]["id"].to_string()];
        for (key, value) in parse(&second).into_iter().filter(|(key, _)| key != "same") {
            assert_eq!(own[&key], value, "{key}");
        }
        assert_eq!((&own["key"], &own["alias"], &own["large"]), (&json!("last"), &json!({"y": 1}), &json!(u64::MAX)));
        let rows = server.get("/notifications").await.expect(200);
        assert!(list(&rows).iter().all(|told| contains(&told["message"], "discovered")));
    });
    // The same documents give the same made-up mac.
    let again = tempdir().expect("a directory");
    import(&again, &[&first, &second], "c").expect(0);
    let macs = |dir: &TempDir| {
        let nodes = with_server(dir, async |server| server.get("/nodes").await.expect(200));
        each(&nodes, "mac").into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(macs(&again), macs(&dir));
}

#[test]
fn a_closed_output_ends_an_import_quietly_and_progress_is_not_on_standard_output() {
    let dir = dir();
    let document = file(&dir, "1.yaml", "fqdn: a.example.org\n");
    let finished = import(&dir, &[&document], "c").expect(0);
    assert_eq!(finished.stdout.lines().count(), 1, "{}", finished.stdout);
    assert!(!finished.stdout.contains('\u{1b}') && !finished.stderr.contains('\u{1b}'), "{finished:?}");
}

fn dir() -> TempDir {
    tempdir().expect("a directory")
}

fn file(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).expect("a file");
    path
}

/// Aliases of aliases: a few lines that stand for billions.
fn bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", below.trim_end_matches(", ")));
    }
    text
}

fn import(dir: &TempDir, files: &[&Path], cluster: &str) -> crate::process::Finished {
    let files: Vec<&str> = files.iter().map(|path| path.to_str().expect("a path of text")).collect();
    run(dir.path(), &[&["import", "--cluster", cluster], files.as_slice()].concat())
}

/// Looks at what commands left, through a server on the same database.
fn with_server<T, F: Future<Output = T>>(dir: &TempDir, look: impl FnOnce(TestServer) -> F) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async { look(TestServer::start(Some(database_of(dir.path())), "").await).await })
}

fn is_empty(dir: &TempDir) {
    with_server(dir, async |server| {
        assert_eq!(server.get("/clusters").await.expect(200), json!([]));
        assert_eq!(server.get("/nodes").await.expect(200), json!([]));
    });
}

/// A document as the import reads it: of a key that stands twice the last value counts.
fn parse(path: &Path) -> serde_json::Map<String, Value> {
    let text = fs::read_to_string(path).expect("the file can be read");
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(&text, options).expect("the file is YAML")
}

/// The keys that `after` has and `before` has not.
fn added(before: &serde_json::Map<String, Value>, after: &Value) -> Vec<String> {
    let after = after.as_object().expect("an object");
    after.keys().filter(|key| !before.contains_key(*key)).cloned().collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
