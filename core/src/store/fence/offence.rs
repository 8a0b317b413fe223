//! What a migration did that it may not.

use crate::store::Owner;
use std::fmt;

/// One thing that a migration did to what is not its extension's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offence(String);

/// What happened to an object between two catalogues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event<'a> {
    Made,
    Changed,
    Dropped,
    RenamedTo(&'a str),
}

impl Offence {
    /// Something that belongs to somebody else, or to nobody, was touched.
    pub(super) fn foreign(event: Event<'_>, kind: &str, name: &str, owner: Owner<'_>) -> Self {
        let verb = match event {
            Event::Made => "make",
            Event::Changed => "change",
            Event::Dropped => "drop",
            Event::RenamedTo(to) => {
                return Self(format!("may not rename {kind} `{name}` to `{to}`, {}", Belongs(owner)));
            }
        };
        Self(format!("may not {verb} {kind} `{name}`, {}", Belongs(owner)))
    }

    /// Something is no extension's to have.
    pub(super) fn shared(kind: &str, name: &str) -> Self {
        Self(format!("may not touch {kind} `{name}`: an extension has tables, and what belongs to them, in one schema"))
    }

    /// Something runs later, and nobody can say what it reaches then.
    pub(super) fn unreadable(kind: &str, name: &str) -> Self {
        Self(format!("may not make {kind} `{name}`: what its text would reach cannot be checked; write it in Rust"))
    }

    /// Something ends the transaction of whoever meets it.
    pub(super) fn rolling_back(kind: &str, name: &str) -> Self {
        Self(format!(
            "may not make {kind} `{name}` with `ROLLBACK` in it: transactions are the server's; `ABORT` refuses as well"
        ))
    }

    /// A part of an own table, or something that stands for itself, has a name without the prefix.
    pub(super) fn misnamed(kind: &str, name: &str, table: Option<&str>, extension: &str) -> Self {
        let place = table.map(|table| format!(" of table `{table}`")).unwrap_or_default();
        Self(format!("{kind} `{name}`{place} does not begin with `{extension}_`"))
    }

    /// Rows of somebody else were written.
    pub(super) fn rows(table: &str, owner: Owner<'_>) -> Self {
        Self(format!("may not change rows of table `{table}`, {}", Belongs(owner)))
    }

    /// Something own needs something of somebody else.
    pub(super) fn reference(kind: &str, name: &str, table: &str, to: &str, owner: Owner<'_>) -> Self {
        let of = if name == table { String::new() } else { format!(" of table `{table}`") };
        Self(format!("{kind} `{name}`{of} may not refer to {to}, {}", Belongs(owner)))
    }

    /// The transaction in which the fence stood is over.
    pub(crate) fn ended() -> Self {
        Self("may not end its transaction (COMMIT, ROLLBACK)".to_owned())
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

struct Belongs<'a>(Owner<'a>);

impl fmt::Display for Belongs<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Owner::Core => formatter.write_str("which belongs to the core"),
            Owner::Extension(extension) => write!(formatter, "which belongs to `{extension}`"),
            Owner::Nobody => formatter.write_str("which belongs to no extension that is known"),
        }
    }
}
