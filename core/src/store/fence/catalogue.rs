//! What is in a database, as far as the fence compares it.

use std::collections::{BTreeMap, BTreeSet};

/// Everything in a database at one moment.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// By a key that a rename leaves alone where the database has one.
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) references: BTreeSet<Reference>,
    /// What this transaction did to the rows of each table.
    pub(super) rows: BTreeMap<i64, RowCount>,
}

/// A table, an index, a trigger, a type…
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: String,
    /// The table that it is a part of; its own name where it stands for itself.
    pub(super) table: String,
    pub(super) name: String,
    /// Differs as soon as anything of its definition does.
    pub(super) digest: String,
    /// Whether an extension may have such a thing at all, and in this place.
    pub(super) can_be_owned: bool,
}

/// That one object needs another: a foreign key, a view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) kind: String,
    pub(super) table: String,
    pub(super) name: String,
    pub(super) to_kind: String,
    pub(super) to: String,
}

/// How often rows of a table were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowCount {
    pub(super) table: String,
    pub(super) at_home: bool,
    pub(super) inserted: i64,
    pub(super) updated: i64,
    pub(super) deleted: i64,
}

impl RowCount {
    pub(super) fn is_zero(&self) -> bool {
        (self.inserted, self.updated, self.deleted) == (0, 0, 0)
    }
}
