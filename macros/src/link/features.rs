//! Which features switch an optional dependency on, by the rules of cargo.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

/// The `[features]` of a package: what each of them enables.
pub(super) struct Features<'m>(BTreeMap<&'m str, Vec<&'m str>>);

impl<'m> Features<'m> {
    pub(super) fn read(manifest: &'m Table) -> Self {
        let features = manifest.get("features").and_then(Value::as_table).into_iter().flatten();
        let enabled = |list: &'m Value| list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        Self(features.map(|(feature, list)| (feature.as_str(), enabled(list))).collect())
    }

    /// The features with any of which cargo builds `dependency`, directly or through others.
    pub(super) fn enabling(&self, dependency: &str) -> BTreeSet<String> {
        let mut enabling = BTreeSet::new();
        // An optional dependency is a feature itself, unless `dep:` keeps its name out of the features.
        if !self.all().any(|enabled| enabled.strip_prefix("dep:") == Some(dependency)) {
            enabling.insert(dependency.to_owned());
        }
        loop {
            let found = enabling.len();
            for (feature, enabled) in &self.0 {
                if enabled.iter().any(|one| switches_on(one, dependency) || enabling.contains(*one)) {
                    enabling.insert((*feature).to_owned());
                }
            }
            if enabling.len() == found {
                return enabling;
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().copied()
    }
}

/// `dep:x` and `x/feature` do, `x?/feature` does not: it only adds the feature if something else switches `x` on.
fn switches_on(enabled: &str, dependency: &str) -> bool {
    enabled.strip_prefix("dep:") == Some(dependency)
        || enabled.split_once('/').is_some_and(|(package, _)| package == dependency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabling(features: &str, dependency: &str) -> Vec<String> {
        let manifest: Table = format!("[features]\n{features}").parse().expect("the features of a test are TOML");
        Features::read(&manifest).enabling(dependency).into_iter().collect()
    }

    #[test]
    fn a_dependency_is_a_feature_unless_dep_is_used() {
        assert_eq!(enabling("", "x"), ["x"]);
        assert_eq!(enabling("a = ['x']", "x"), ["a", "x"]);
        assert_eq!(enabling("a = ['dep:x']", "x"), ["a"]);
        assert_eq!(enabling("x = ['dep:x', 'dep:y']", "x"), ["x"]);
    }

    #[test]
    fn a_feature_of_a_dependency_switches_it_on_unless_it_is_weak() {
        assert_eq!(enabling("a = ['x/json']\nb = ['x?/yaml']", "x"), ["a", "x"]);
        assert_eq!(enabling("a = ['x/json']\nb = ['dep:x']\nc = ['x?/yaml']", "x"), ["a", "b"]);
        assert_eq!(enabling("a = ['dep:x-y', 'xy/json']", "x"), ["x"]);
    }

    #[test]
    fn features_enable_each_other_even_in_a_circle() {
        assert_eq!(
            enabling("default = ['a']\na = ['b']\nb = ['c', 'dep:x']\nc = ['a']\nd = []", "x"),
            ["a", "b", "c", "default"]
        );
    }
}
