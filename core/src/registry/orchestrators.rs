//! The names that clusters call orchestrators by.

use super::{BootProblem, Loaded};
use std::{collections::BTreeMap, sync::Arc};

/// The orchestrator that is part of the core.
pub(crate) const LOCAL: &str = "local";

/// What is wrong with the names of orchestrators: each is a word, and stands for one.
pub(super) fn problems(extensions: &[Arc<Loaded>]) -> Vec<BootProblem> {
    let mut taken = BTreeMap::from([(LOCAL, "the core")]);
    let mut problems = Vec::new();
    for loaded in extensions {
        for &(name, _) in &loaded.orchestrators {
            let metadata = loaded.metadata;
            let mut problem = |why: String| problems.push(BootProblem::Orchestrator { metadata, name, why });
            let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(is_letter) {
                problem("is no word of lower-case letters, digits and underscores; rename it".to_owned());
            } else if let Some(owner) = taken.insert(name, metadata.name) {
                problem(format!("has the name of one of {owner}; rename it"));
            }
        }
    }
    problems
}
