//! The total order of extensions: `after` and `requires` first, then `priority`, then name.

use super::BootProblem;
use crate::extension::Metadata;
use semver::{Version, VersionReq};
use std::collections::{BTreeMap, BTreeSet};

/// The indices of `extensions` in the total order. What is wrong is added to `problems`; the rest is ordered all the
/// same, so that its own problems can be found too. `inactive` are linked as well, and refused where one refers to them.
pub(super) fn total_order(
    extensions: &[&'static Metadata],
    inactive: &[&'static Metadata],
    problems: &mut Vec<BootProblem>,
) -> Vec<usize> {
    let mut by_name = BTreeMap::new();
    for (index, metadata) in extensions.iter().enumerate() {
        if let Some(first) = by_name.insert(metadata.name, index) {
            problems.push(BootProblem::DuplicateName { first: extensions[first], second: metadata });
        }
    }
    let mut before: Vec<BTreeSet<usize>> = Vec::with_capacity(extensions.len());
    for metadata in extensions {
        let after = metadata.after.iter().map(|name| ("after", *name, *name));
        let requires = metadata.requires.iter().map(|required| ("requires", name_of(required), *required));
        let mut earlier = BTreeSet::new();
        for (argument, name, written) in after.chain(requires) {
            match by_name.get(name) {
                Some(&index) => {
                    earlier.insert(index);
                    check_version(metadata, written, extensions[index], problems);
                }
                None if inactive.iter().any(|inactive| inactive.name == name) => {
                    problems.push(BootProblem::InactiveReference { metadata, argument, name: name.to_owned() });
                }
                None => problems.push(BootProblem::UnknownReference { metadata, argument, name: written.to_owned() }),
            }
        }
        before.push(earlier);
    }
    sort(extensions, &before, problems)
}

/// Kahn's algorithm; of those that may come next, the one with the lowest priority and name does.
fn sort(extensions: &[&'static Metadata], before: &[BTreeSet<usize>], problems: &mut Vec<BootProblem>) -> Vec<usize> {
    let mut waiting: BTreeSet<(i32, &str, usize)> =
        extensions.iter().enumerate().map(|(index, metadata)| (metadata.priority, metadata.name, index)).collect();
    let mut order = Vec::with_capacity(extensions.len());
    let mut placed = BTreeSet::new();
    while let Some(&first) = waiting.first() {
        let next = waiting.iter().copied().find(|(_, _, index)| before[*index].is_subset(&placed));
        let index = next.map(|(_, _, index)| index).unwrap_or_else(|| {
            let cycle = cycle(before, &placed, first.2);
            problems.push(BootProblem::Cycle { extensions: cycle.iter().map(|&index| extensions[index]).collect() });
            cycle[0]
        });
        waiting.retain(|(_, _, other)| *other != index);
        placed.insert(index);
        order.push(index);
    }
    order
}

/// Follows what is waited for until an extension comes up again: from there on it is a cycle.
fn cycle(before: &[BTreeSet<usize>], placed: &BTreeSet<usize>, start: usize) -> Vec<usize> {
    let mut path = Vec::new();
    let mut next = start;
    while !path.contains(&next) {
        path.push(next);
        // Nothing can be placed, so that everything waits for something that is not placed.
        next = before[next].difference(placed).copied().next().unwrap_or(next);
    }
    path.drain(..).skip_while(|&index| index != next).collect()
}

/// The name in a requirement such as `volume_manager >= 1.2`.
pub(super) fn name_of(required: &str) -> &str {
    required.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(required, |end| &required[..end])
}

fn check_version(
    metadata: &'static Metadata,
    written: &str,
    required: &'static Metadata,
    problems: &mut Vec<BootProblem>,
) {
    let requirement = written[name_of(written).len()..].trim();
    // The macro has parsed both; what does not parse here was written by hand, and holds for nothing.
    let holds = requirement.is_empty()
        || matches!(
            (VersionReq::parse(requirement), Version::parse(required.version)),
            (Ok(requirement), Ok(version)) if requirement.matches(&version)
        );
    if !holds {
        problems.push(BootProblem::Version { metadata, requirement: written.to_owned(), found: required.version });
    }
}

#[cfg(test)]
mod tests;
