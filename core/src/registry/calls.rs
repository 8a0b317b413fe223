//! Calls between extensions: who answers what is called of the extensions that are required.

use super::{BootProblem, order::name_of};
use crate::extension::{Called, Metadata};
use std::{any::TypeId, collections::BTreeMap};

/// An extension, as far as calls go.
pub(super) struct Party<'a> {
    pub(super) metadata: &'static Metadata,
    pub(super) provides: Vec<Called>,
    pub(super) calls: &'a [Called],
}

impl Party<'_> {
    fn provides(&self, called: &Called) -> bool {
        self.provides.iter().any(|provided| provided.id == called.id)
    }

    fn requires(&self, other: &Self) -> bool {
        self.metadata.requires.iter().any(|required| name_of(required) == other.metadata.name)
    }
}

/// For each of the parties, which stand in the total order, by trait: the place of the one that answers. Of those that it
/// requires it is the first that provides the trait.
pub(super) fn resolve(parties: &[Party<'_>], problems: &mut Vec<BootProblem>) -> Vec<BTreeMap<TypeId, usize>> {
    let mut answers = |caller: &Party<'_>| {
        let mut resolved = BTreeMap::new();
        for called in caller.calls {
            match parties.iter().position(|other| other.provides(called) && caller.requires(other)) {
                Some(place) => {
                    resolved.insert(called.id, place);
                }
                None => {
                    let others = parties.iter().filter(|other| other.provides(called));
                    problems.push(BootProblem::Call {
                        metadata: caller.metadata,
                        called: called.name(),
                        provided_by: others.map(|other| other.metadata.name).collect(),
                    });
                }
            }
        }
        resolved
    };
    parties.iter().map(&mut answers).collect()
}

#[cfg(test)]
mod tests {
    use super::{Party, resolve};
    use crate::extension::{Called, Metadata};

    trait Racks {}
    trait Seats {}

    fn party<'a>(
        name: &'static str,
        requires: &'static [&'static str],
        provides: &[Called],
        calls: &'a [Called],
    ) -> Party<'a> {
        let metadata = Metadata {
            name,
            version: "1.0.0",
            description: "",
            url: "",
            krate: "tests",
            file: "calls.rs",
            line: 7,
            priority: 0,
            after: &[],
            requires,
            overrides: &[],
        };
        Party { metadata: Box::leak(Box::new(metadata)), provides: provides.to_vec(), calls }
    }

    #[test]
    fn the_first_that_is_required_and_provides_it_answers() {
        let (racks, seats) = (Called::of::<dyn Racks>(), Called::of::<dyn Seats>());
        let calls = [racks, seats];
        let parties = [
            party("stranger", &[], &[racks], &[]),
            party("first", &[], &[racks], &[]),
            party("second", &[], &[racks, seats], &[]),
            party("caller", &["second", "first >= 1.0"], &[], &calls),
        ];
        let mut problems = Vec::new();
        let resolved = resolve(&parties, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        assert!(resolved[..3].iter().all(std::collections::BTreeMap::is_empty));
        assert_eq!((resolved[3][&racks.id], resolved[3][&seats.id]), (1, 2));
    }

    #[test]
    fn a_call_that_nobody_who_is_required_answers_is_told_with_those_who_could() {
        let (racks, seats) = (Called::of::<dyn Racks>(), Called::of::<dyn Seats>());
        let calls = [racks, seats];
        let parties = [party("keeper", &[], &[racks], &[]), party("caller", &[], &[], &calls)];
        let mut problems = Vec::new();
        resolve(&parties, &mut problems);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let of = "RG0111: `caller` (tests in calls.rs:7) calls `rivetgun::registry::calls::tests::";
        assert_eq!(
            told,
            [
                format!("{of}Racks`, which keeper provides, and does not require it; add `requires = [\"keeper\"]`"),
                format!("{of}Seats`, and no extension of this build provides it; add the crate of one that does"),
            ]
        );
    }
}
