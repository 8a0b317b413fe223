//! The types of events that extensions publish: each is a word, its extension's own, and declared once.

use super::{BootProblem, Loaded};
use crate::{
    model::wrong_with_word,
    store::{Owner, Owners},
};
use std::{collections::BTreeSet, sync::Arc};

/// What is wrong with the types that extensions declare; `names` are those of all extensions.
pub(super) fn problems<'a>(extensions: &[Arc<Loaded>], names: impl Iterator<Item = &'a str>) -> Vec<BootProblem> {
    let owners = Owners::new(names.map(str::to_owned));
    let mut problems = Vec::new();
    for loaded in extensions {
        let metadata = loaded.metadata;
        let mut known = BTreeSet::new();
        for declared in &loaded.events {
            let name = metadata.name;
            let why = match owners.of_events(declared.kind) {
                _ if wrong_with_word(declared.kind).is_some() => wrong_with_word(declared.kind),
                Owner::Core => Some("it is one of the core".to_owned()),
                Owner::Extension(owner) if owner != name => Some(format!("it belongs to `{owner}`")),
                Owner::Nobody => Some("it belongs to callers of the API".to_owned()),
                Owner::Extension(_) if !known.insert(declared.kind) => Some("it is declared twice".to_owned()),
                Owner::Extension(_) => None,
            };
            problems.extend(why.map(|why| BootProblem::EventType { metadata, kind: declared.kind, why }));
        }
    }
    problems
}
