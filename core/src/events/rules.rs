//! Who may read and who may publish which events. It is decided here and nowhere else, by type, and what no rule allows is
//! denied.

use crate::{
    extension::DeclaredType,
    model::{CORE_TYPES, Event, Role},
    principal,
    store::{Owner, Owners},
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;

/// Who may read what the core writes, and what callers of the API publish.
const READER: Role = Role::Viewer;

/// A type of events, and who may read it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EventType {
    /// The type, as it stands in an event.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// What it tells of.
    description: &'static str,
    /// The extension that publishes it; none of what the core writes.
    extension: Option<&'static str>,
    /// The role that may read it through the API; none where nobody may.
    role: Option<Role>,
}

/// The rules of a server.
///
/// | a type | is published by | is read by |
/// |---|---|---|
/// | of the core | nobody | [`READER`] |
/// | that an extension declares | it | whom it says, or nobody |
/// | of an extension, known from its name or from who published it, but not declared | nobody | nobody |
/// | any other | callers | [`READER`] |
#[derive(Debug)]
pub(crate) struct EventRules {
    known: BTreeMap<&'static str, EventType>,
    owners: Arc<Owners>,
}

impl EventRules {
    /// The rules of a server with these extensions, each with its name and what it declares.
    pub(crate) fn new<'a>(
        owners: Arc<Owners>,
        declared: impl Iterator<Item = (&'static str, &'a [DeclaredType])>,
    ) -> Self {
        let core = CORE_TYPES.into_iter().map(|(kind, description)| EventType {
            kind,
            description,
            extension: None,
            role: Some(READER),
        });
        let of_extensions = declared.flat_map(|(extension, types)| {
            types.iter().map(move |DeclaredType { kind, description, role }| EventType {
                kind,
                description,
                extension: Some(extension),
                role: *role,
            })
        });
        Self { known: core.chain(of_extensions).map(|known| (known.kind, known)).collect(), owners }
    }

    /// The types that the core and the extensions of this build write, by name.
    pub(crate) fn types(&self) -> Vec<EventType> {
        self.known.values().cloned().collect()
    }

    /// Whether somebody with this role may read an event.
    pub(crate) fn may_read(&self, role: Role, event: &Event) -> bool {
        let needed = match self.known.get(event.kind.as_str()) {
            Some(known) => known.role,
            None if self.owners.of_events(&event.kind) != Owner::Nobody => None,
            // Its extension may be gone, and nobody knows any more what it would have allowed.
            None if principal::is_extension(&event.principal) => None,
            None => Some(READER),
        };
        needed.is_some_and(|needed| role >= needed)
    }

    /// Whether what the core writes, such as a notification, may tell of an event.
    pub(super) fn may_be_told(&self, event: &Event) -> bool {
        self.may_read(READER, event)
    }

    /// Why a caller of the API may not publish events of a type, if not.
    pub(crate) fn forbids(&self, kind: &str) -> Option<String> {
        match self.owners.of_events(kind) {
            Owner::Core => {
                Some(format!("events of the type `{kind}` tell what the server did, and only it writes them"))
            }
            Owner::Extension(name) => Some(format!("events of the type `{kind}` are those of the extension `{name}`")),
            Owner::Nobody => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventRules;
    use crate::{
        extension::DeclaredType,
        model::{Event, Role},
        store::Owners,
    };
    use serde_json::value::RawValue;
    use std::sync::Arc;

    fn event(kind: &str, principal: &str) -> Event {
        Event {
            sequence: 1,
            time: chrono::DateTime::UNIX_EPOCH,
            kind: kind.to_owned(),
            action: "create".to_owned(),
            key: "1".to_owned(),
            principal: principal.to_owned(),
            object: RawValue::NULL.to_owned(),
            original: None,
        }
    }

    #[test]
    fn what_no_rule_allows_is_denied() {
        let declared = |kind, role| DeclaredType { kind, description: "", role };
        let types = [
            declared("rack", Some(Role::Public)),
            declared("rack_doors", Some(Role::Admin)),
            declared("rack_keys", None),
        ];
        // `gone` is known from the database only.
        let owners = Owners::new(["rack", "gone"].map(str::to_owned));
        let rules = EventRules::new(Arc::new(owners), [("rack", types.as_slice())].into_iter());
        for (kind, principal, least, is_callers) in [
            ("nodes", "server", Some(Role::Viewer), false),
            ("rack", "extension:rack", Some(Role::Public), false),
            ("rack_doors", "extension:rack", Some(Role::Admin), false),
            ("rack_keys", "extension:rack", None, false),
            ("rack_other", "extension:rack", None, false),
            ("rack_other", "anonymous", None, false),
            ("gone", "anonymous", None, false),
            ("gone_x", "extension:gone", None, false),
            ("forgotten", "extension:forgotten", None, true),
            ("builds", "anonymous", Some(Role::Viewer), true),
        ] {
            let event = event(kind, principal);
            for role in [Role::Public, Role::Viewer, Role::Operator, Role::Admin] {
                let expected = least.is_some_and(|least| role >= least);
                assert_eq!(rules.may_read(role, &event), expected, "{kind} of {principal} by {role}");
            }
            assert_eq!(rules.forbids(kind).is_none(), is_callers, "{kind}");
        }
    }
}
