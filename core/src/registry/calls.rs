//! Calls between extensions: who answers what is called of the extensions that are required.

use super::{BootProblem, Loaded, order::name_of};
use std::{any::TypeId, collections::BTreeMap, sync::Arc};

/// For each extension, by trait: the place of the one that answers, of those that it requires the first in the total order.
pub(super) fn resolve(extensions: &[Arc<Loaded>], problems: &mut Vec<BootProblem>) -> Vec<BTreeMap<TypeId, usize>> {
    extensions.iter().map(|loaded| calls_of(loaded, extensions, problems)).collect()
}

fn calls_of(loaded: &Loaded, extensions: &[Arc<Loaded>], problems: &mut Vec<BootProblem>) -> BTreeMap<TypeId, usize> {
    let mut resolved = BTreeMap::new();
    for called in &loaded.calls {
        let provides = |other: &Loaded| other.provided.iter().any(|provided| provided.called.id == called.id);
        let is_required =
            |other: &Loaded| loaded.metadata.requires.iter().any(|required| name_of(required) == other.metadata.name);
        match extensions.iter().position(|other| provides(other) && is_required(other)) {
            Some(place) => {
                resolved.insert(called.id, place);
            }
            None => problems.push(BootProblem::Call {
                metadata: loaded.metadata,
                called: called.name(),
                provided_by: extensions
                    .iter()
                    .filter(|other| provides(other))
                    .map(|other| other.metadata.name)
                    .collect(),
            }),
        }
    }
    resolved
}
