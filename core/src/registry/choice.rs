//! Which of the extensions that are linked are loaded, as the settings say.

use super::BootProblem;
use crate::extension::Metadata;

/// `active` and `required` of the settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice<'a> {
    /// All that are linked, where nothing is said.
    pub(crate) active: Option<&'a [String]>,
    pub(crate) required: &'a [String],
}

impl Choice<'_> {
    pub(super) fn is_active(&self, name: &str) -> bool {
        self.active.is_none_or(|active| active.iter().any(|active| active == name))
    }

    pub(super) fn is_required(&self, name: &str) -> bool {
        self.required.iter().any(|required| required == name)
    }

    /// What is wrong with the names that are listed.
    pub(super) fn problems(&self, file: Option<&str>, linked: &[&'static Metadata]) -> Vec<BootProblem> {
        let is_linked = |name: &str| linked.iter().any(|metadata| metadata.name == name);
        let file = || file.map(str::to_owned);
        let mut problems = Vec::new();
        for (key, names) in [("active", self.active.unwrap_or_default()), ("required", self.required)] {
            for name in names.iter().filter(|name| !is_linked(name)) {
                let mut known: Vec<&'static str> = linked.iter().map(|metadata| metadata.name).collect();
                known.dedup();
                problems.push(BootProblem::UnknownChoice { file: file(), key, name: name.clone(), known });
            }
        }
        for name in self.required.iter().filter(|name| is_linked(name) && !self.is_active(name)) {
            problems.push(BootProblem::RequiredInactive { file: file(), name: name.clone() });
        }
        problems
    }
}
