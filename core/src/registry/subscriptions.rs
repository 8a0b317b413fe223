//! The subscriptions of an extension: each has a name of its own, and a filter.

use super::{BootProblem, Loaded};
use std::collections::BTreeSet;

/// What is wrong with the subscriptions of an extension.
pub(super) fn problems(loaded: &Loaded) -> Vec<BootProblem> {
    let mut names = BTreeSet::new();
    let mut problems = Vec::new();
    for (name, declared) in &loaded.subscriptions {
        let mut problem = |why| {
            problems.push(BootProblem::Subscription { metadata: loaded.metadata, name: name.clone(), why });
        };
        if let Err(error) = &declared.filter {
            problem(error.to_string());
        }
        if !names.insert(name) {
            problem("there are two of this name; give each its own, with `named`".to_owned());
        }
    }
    problems
}
