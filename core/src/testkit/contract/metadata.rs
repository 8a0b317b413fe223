//! What is known of the extension, and its place among the others.

use super::{Subject, check};
use serde_json::Value;

check!(METADATA = "it says what it is", described);
check!(ORDER = "it stands where its requirements say", ordered);

async fn described(subject: &Subject) {
    let metadata = subject.metadata;
    if metadata.description.trim().is_empty() {
        subject.find("there is no description: write `description = \"…\"` into its Cargo.toml");
    }
    let path = format!("/extensions/{}", metadata.name);
    let listed = subject.server.get(&path).await.expect(200);
    for (field, expected) in [("name", metadata.name), ("version", metadata.version), ("crate", metadata.krate)] {
        if listed[field] != expected {
            subject.find(format!("its {field} is listed as {}, and is {expected}", listed[field]));
        }
    }
    if listed["status"] != "running" {
        subject.find(format!("it is {} after a start: {}", listed["status"], listed["reason"]));
    }
}

async fn ordered(subject: &Subject) {
    let metadata = subject.metadata;
    let listed = subject.server.get("/extensions").await.expect(200);
    let names: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|listed| listed["name"].as_str()).collect();
    let place = |name: &str| names.iter().position(|known| *known == name);
    let required = metadata.requires.iter().map(|required| required.split([' ', '<', '>', '=', '^', '~']).next());
    for earlier in metadata.after.iter().copied().chain(required.flatten()) {
        if place(earlier) >= place(metadata.name) {
            subject.find(format!("it does not stand after `{earlier}`: {}", names.join(", ")));
        }
    }
    let again: Value = subject.server.get("/extensions").await.expect(200);
    if again != listed {
        subject.find("two lists of the extensions differ");
    }
}
