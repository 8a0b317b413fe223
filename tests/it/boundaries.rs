//! What must not be found where: the invariants of ARCHITECTURE.md that a look at the source can hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn only_the_door_calls_extensions_and_only_the_registry_reads_what_was_linked() {
    only_in("core/src/extension/, core/src/contain/, core/src/registry/", "DynExtension");
    only_in("core/src/contain/", ".extension().call(");
    only_in("core/src/contain/", "registration.make)()");
    only_in("core/src/registry/", "inventory::iter");
    only_in("core/src/extension/, core/src/contain/", ".process_for_node(");
}

#[test]
fn only_one_file_gives_errors_their_status() {
    for status in ["CONFLICT", "FORBIDDEN", "INTERNAL_SERVER_ERROR", "BAD_REQUEST", "GATEWAY_TIMEOUT"] {
        only_in("core/src/http/error.rs", &format!("StatusCode::{status}"));
    }
}

#[test]
fn the_model_knows_neither_the_database_nor_http() {
    for foreign in ["sea_orm", "axum", "tokio"] {
        never_in("core/src/model/", foreign);
    }
    for foreign in ["axum", "http::"] {
        never_in("core/src/store/", foreign);
    }
}

#[test]
fn the_core_names_no_extension() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for extension in fs::read_dir(root.join("extensions")).expect("the extensions") {
        let krate = extension.expect("an extension").file_name().to_string_lossy().into_owned();
        // Comments and examples in the documentation may.
        for (path, line) in lines("core/src/").filter(|(_, line)| !line.trim_start().starts_with("//")) {
            assert!(!line.contains(&krate.replace('-', "_")), "{} names {krate}: {line}", path.display());
        }
    }
}

#[test]
fn every_extension_of_the_distribution_runs_the_contract_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for extension in fs::read_dir(root.join("extensions")).expect("the extensions").map(|entry| entry.expect("one")) {
        if extension.path().is_dir() {
            let tests = format!("extensions/{}/tests", extension.file_name().to_string_lossy());
            let runs = lines(&tests).any(|(_, line)| line.contains("Contract::of::<"));
            assert!(runs, "no test in {tests} runs `Contract::of::<…>().check()`");
        }
    }
}

#[test]
fn the_tutorial_of_the_readme_is_the_example_that_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let example = fs::read_to_string(root.join("examples/hello-extension/src/lib.rs")).expect("the example");
    let block = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of Rust");
    assert_eq!(block, example);
}

/// `text` stands in no file of the core but those below `places`.
#[track_caller]
fn only_in(places: &str, text: &str) {
    let allowed: Vec<&str> = places.split(", ").collect();
    let mut met = false;
    for (path, line) in lines("core/src/").filter(|(_, line)| line.contains(text)) {
        met = true;
        let path = path.to_string_lossy();
        assert!(allowed.iter().any(|place| path.contains(place)), "{path} has `{text}`: {line}");
    }
    assert!(met, "`{text}` stands nowhere: the check looks for something that has another name by now");
}

#[track_caller]
fn never_in(place: &str, text: &str) {
    for (path, line) in lines(place) {
        assert!(!line.contains(text), "{} has `{text}`: {line}", path.display());
    }
}

fn lines(place: &str) -> impl Iterator<Item = (PathBuf, String)> {
    let mut files = Vec::new();
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place), &mut files);
    assert!(!files.is_empty(), "{place} has no files");
    files.into_iter().flat_map(|path| {
        let text = fs::read_to_string(&path).expect("a source file");
        text.lines().map(|line| (path.clone(), line.to_owned())).collect::<Vec<_>>()
    })
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the source") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
