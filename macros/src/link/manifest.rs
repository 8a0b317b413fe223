//! Which crates a manifest asks cargo to link, and on which conditions.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::features::Features;

/// One crate, and when cargo passes it to rustc.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Linked {
    /// As it is called in source: the key of the dependency, which is the new name of one that is renamed.
    pub(super) krate: String,
    /// `unix`, of `[target.'cfg(unix)'.dependencies]`.
    pub(super) target: Option<String>,
    /// Of an optional dependency, the features any of which switches it on.
    pub(super) features: Option<BTreeSet<String>>,
}

/// The dependencies of a package, as far as its source can name them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dependencies {
    /// Sorted, none twice on the same conditions.
    pub(super) linked: Vec<Linked>,
    /// The targets with dependencies that are not a `cfg(…)`: source has no condition for a target triple.
    pub(super) triples: Vec<String>,
}

/// Reads `[dependencies]` and `[target.'cfg(…)'.dependencies]`.
///
/// A package whose library has another name than the package is not known from here: rustc says that it cannot find the
/// crate, and using the library's name as the key (with `package = "…"`) helps.
pub(super) fn read(manifest: &str) -> Result<Dependencies, String> {
    let manifest: Table = manifest.parse().map_err(|why: toml::de::Error| one_line(why.message()))?;
    let features = Features::read(&manifest);
    let mut linked = BTreeSet::new();
    let mut triples = Vec::new();

    linked.extend(dependencies(&manifest, None, &features));
    for (target, tables) in manifest.get("target").and_then(Value::as_table).into_iter().flatten() {
        let Some(tables) = tables.as_table().filter(|tables| tables.contains_key("dependencies")) else { continue };
        match target.trim().strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')')) {
            Some(condition) => linked.extend(dependencies(tables, Some(condition), &features)),
            None => triples.push(target.clone()),
        }
    }
    Ok(Dependencies { linked: linked.into_iter().collect(), triples })
}

/// The entries of the `dependencies` in `tables`, on the condition `target`.
fn dependencies(tables: &Table, target: Option<&str>, features: &Features<'_>) -> Vec<Linked> {
    let entries = tables.get("dependencies").and_then(Value::as_table).into_iter().flatten();
    entries
        .map(|(key, entry)| Linked {
            krate: key.replace('-', "_"),
            target: target.map(str::to_owned),
            // A member of a workspace says `optional` itself, beside `workspace = true`.
            features: is_optional(entry).then(|| features.enabling(key)),
        })
        .collect()
}

fn is_optional(entry: &Value) -> bool {
    entry.get("optional").and_then(Value::as_bool).unwrap_or(false)
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(krate: &str, target: Option<&str>, features: Option<&[&str]>) -> Linked {
        let features = features.map(|features| features.iter().map(ToString::to_string).collect());
        Linked { krate: krate.to_owned(), target: target.map(str::to_owned), features }
    }

    fn linked(manifest: &str) -> Result<Vec<Linked>, String> {
        read(manifest).map(|dependencies| dependencies.linked)
    }

    #[test]
    fn every_dependency_is_linked_by_the_name_it_has_in_source() {
        let manifest = r#"
            [package]
            name = "host"

            [dependencies]
            rivetgun.workspace = true
            additional-logger = { path = "extensions/additional-logger" }
            new-name = { package = "old-name", version = "1" }
            plain = "1"

            [dependencies.table]
            version = "1"

            [dev-dependencies]
            insta = "1"

            [build-dependencies]
            cc = "1"
        "#;
        let expected = ["additional_logger", "new_name", "plain", "rivetgun", "table"];
        assert_eq!(linked(manifest), Ok(expected.map(|krate| entry(krate, None, None)).into()));
    }

    #[test]
    fn an_optional_dependency_is_behind_the_features_that_enable_it() {
        let manifest = r#"
            [dependencies]
            metrics = { path = "metrics", optional = true }
            shared = { workspace = true, optional = true }
            always = { workspace = true, optional = false }

            [features]
            default = ["monitoring"]
            monitoring = ["dep:metrics"]
        "#;
        let expected = [
            entry("always", None, None),
            entry("metrics", None, Some(&["default", "monitoring"])),
            entry("shared", None, Some(&["shared"])),
        ];
        assert_eq!(linked(manifest), Ok(expected.into()));
    }

    #[test]
    fn a_crate_of_several_tables_is_linked_on_each_of_its_conditions() {
        let manifest = r#"
            [dependencies]
            everywhere = "1"

            [target.'cfg(unix)'.dependencies]
            everywhere = "1"
            local-disk = "1"

            [target."cfg(all(windows, target_env = \"msvc\"))".dependencies]
            local-disk = { version = "1", optional = true }

            [target.'cfg( unix )'.dev-dependencies]
            insta = "1"
        "#;
        let expected = [
            entry("everywhere", None, None),
            entry("everywhere", Some("unix"), None),
            entry("local_disk", Some("all(windows, target_env = \"msvc\")"), Some(&["local-disk"])),
            entry("local_disk", Some("unix"), None),
        ];
        assert_eq!(linked(manifest), Ok(expected.into()));
    }

    #[test]
    fn nothing_is_linked_twice_on_the_same_conditions() {
        let manifest = "[dependencies]\na-b = '1'\na_b = '1'";
        assert_eq!(linked(manifest), Ok(vec![entry("a_b", None, None)]));
    }

    #[test]
    fn a_package_without_dependencies_links_nothing() {
        assert_eq!(linked("[package]\nname = 'host'"), Ok(vec![]));
    }

    #[test]
    fn a_target_triple_is_told_if_it_has_dependencies() {
        let manifest = "
            [target.x86_64-unknown-linux-gnu.dependencies]
            a = '1'
            [target.wasm32-wasip1.dependencies]
            a = '1'
            [target.aarch64-apple-darwin.dev-dependencies]
            a = '1'
            [dependencies]
            b = '1'
        ";
        let triples = ["wasm32-wasip1", "x86_64-unknown-linux-gnu"].map(str::to_owned).into();
        assert_eq!(read(manifest), Ok(Dependencies { linked: vec![entry("b", None, None)], triples }));
    }

    #[test]
    fn a_manifest_that_is_not_toml_or_not_shaped_like_one_does_no_harm() {
        assert_eq!(linked("[dependencies"), Err("unclosed table, expected `]`".to_owned()));
        assert_eq!(linked("dependencies = 1\ntarget = ['x']\nfeatures = { a = 1, b = [2] }"), Ok(vec![]));
    }
}
