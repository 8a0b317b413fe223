//! An extension crate is added to the host by one line in `[dependencies]`, and by nothing else.
//!
//! The test copies this workspace, lets `cargo add` write the line, builds the host and uses it. The copy stands in a
//! fixed place below the target directory and shares that: what has not changed is not built again. Its binary is renamed,
//! so that it does not replace the one that other tests run.

use crate::process::{Serving, finish};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const WORKSPACE: [&str; 10] =
    ["Cargo.toml", "Cargo.lock", "src", "core", "macros", "migrations", "outbound", "extensions", "examples", "tests"];

#[test]
fn a_line_in_the_dependencies_is_all_that_an_extension_needs_in_debug() {
    let binary = host_with_added_extension("debug", &[]);
    everything_of_it_is_there(&binary);
}

#[test]
fn a_line_in_the_dependencies_is_all_that_an_extension_needs_in_release() {
    let binary = host_with_added_extension("release", &["--release"]);
    everything_of_it_is_there(&binary);
}

fn everything_of_it_is_there(binary: &Path) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(binary);
    command.args(["--state-dir", "state", "serve", "--listen", "127.0.0.1:0"]).current_dir(dir.path());
    let server = Serving::of(command, dir.path());
    let extensions = server.request("GET", "/extensions", &Value::Null, 200);
    let added = extensions.as_array().expect("a list").iter().find(|extension| extension["name"] == "added");
    let added = added.unwrap_or_else(|| panic!("the extension is not there: {extensions}"));
    assert_eq!(added["crate"], "added-extension");
    assert_eq!(added["migrations"], json!({"applied": ["m20261121_000001_create_rows"], "pending": []}), "its table");

    let node = server.request("POST", "/nodes", &json!({"mac": "64:c3:54:54:d2:66"}), 201);
    let rows = server.request("GET", &format!("/added/{}", node["id"]), &Value::Null, 200);
    assert_eq!(rows, json!([{"id": 1, "node_id": node["id"]}]), "its hook was called, and its URL reads its table");

    let cluster = server.request("POST", "/clusters", &json!({"name": "one", "nodes": [node["id"]]}), 201);
    let path = format!("/clusters/{}", cluster["id"]);
    server.request("PUT", &format!("{path}/extensions"), &json!(["added"]), 200);
    let data = server.request("GET", &format!("{path}/orchestrator/deployment/defaults"), &Value::Null, 200);
    assert_eq!(data["common"]["added"], true, "its stage");
    assert_eq!(data["common"].get("time_started"), None, "no stage of an extension that is not enabled");
}

/// The binary of a host that has the extension, of this profile.
fn host_with_added_extension(profile: &str, flags: &[&str]) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("linking-{profile}"));
    let (host, extension) = (place.join("rivetgun"), place.join("added-extension"));
    for part in WORKSPACE {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(part), &host.join(part));
    }
    write(&extension.join("Cargo.toml"), include_str!("linking/manifest.txt"));
    write(&extension.join("src/lib.rs"), include_str!("linking/lib.txt"));
    write(&extension.join("src/m20261121_000001_create_rows.rs"), include_str!("linking/migration.txt"));

    let manifest = host.join("Cargo.toml");
    let original = fs::read_to_string(&manifest).expect("the host's manifest");
    let renamed = original.replace("name = \"rivetgun\"", "name = \"rivetgun-linked\"");
    let renamed = renamed.replace("default-run = \"rivetgun\"", "default-run = \"rivetgun-linked\"");
    fs::write(&manifest, &renamed).expect("the host's manifest");
    cargo(&host, &["add", "--quiet", "--offline", "--path", "../added-extension"]);
    let with_extension = fs::read_to_string(&manifest).expect("the host's manifest");
    let new_lines: Vec<&str> = with_extension.lines().filter(|line| !renamed.contains(line)).collect();
    assert_eq!(new_lines, ["added-extension = { version = \"0.1.0\", path = \"../added-extension\" }"]);

    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let target_dir = target.to_str().expect("a path in UTF-8");
    let mut build = vec!["build", "--quiet", "--offline", "--bin", "rivetgun-linked", "--target-dir", target_dir];
    build.extend(flags);
    cargo(&host, &build);
    target.join(profile).join("rivetgun-linked")
}

fn cargo(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO"));
    // What cargo tells this test of its own package makes the build script of `ring` run anew, and half of all crates with it.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    let finished = finish(command.args(arguments).current_dir(folder));
    assert_eq!(finished.code, Some(0), "cargo {arguments:?}:\n{}", finished.stderr);
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        return write(to, &fs::read_to_string(from).expect("a file of the workspace"));
    }
    for entry in fs::read_dir(from).expect("a folder of the workspace") {
        let entry = entry.expect("an entry of a folder");
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// Leaves a file alone that is as it should be, so that cargo does not build it again.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}
