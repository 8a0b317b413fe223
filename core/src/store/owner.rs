//! Whose a table is, by its name.
//!
//! The tables of the core are an explicit list and carry no prefix. Everything else belongs to the extension whose name,
//! followed by `_`, it begins with; where one prefix begins another (`volume`, `volume_keeper`) the longest one that is
//! known counts. What nobody's prefix begins is nobody's.

use crate::model::CORE_TYPES;
use rivetgun_migrations::TABLES;
use std::collections::BTreeSet;

/// Prefixes that the databases keep for themselves.
const RESERVED: [&str; 2] = ["pg", "sqlite"];

/// Who owns something in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner<'a> {
    Core,
    Extension(&'a str),
    Nobody,
}

/// Everybody who may own something in the database: the core, the extensions of this build, and those that the
/// database knows from earlier.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owners {
    extensions: BTreeSet<String>,
}

impl Owners {
    pub(crate) fn new(extensions: impl IntoIterator<Item = String>) -> Self {
        Self { extensions: extensions.into_iter().collect() }
    }

    /// Whose a table, a view or a type of this name is. SQLite ignores case in names, and so does this.
    pub(crate) fn of(&self, name: &str) -> Owner<'_> {
        let name = name.to_ascii_lowercase();
        if is_core(&name) {
            return Owner::Core;
        }
        let ends = name.rmatch_indices('_').map(|(end, _)| &name[..end]);
        let mut owners = ends.filter_map(|prefix| self.extensions.get(prefix));
        owners.next().map_or(Owner::Nobody, |extension| Owner::Extension(extension))
    }

    /// Whose a type of events is: it has the name of its extension, or a name as its tables have; nobody's are those of
    /// callers of the API.
    pub(crate) fn of_events(&self, kind: &str) -> Owner<'_> {
        if CORE_TYPES.iter().any(|(core, _)| *core == kind) {
            return Owner::Core;
        }
        self.of(&format!("{kind}_"))
    }
}

/// The tables of the core, or what the databases keep for themselves, that an extension of this name would claim.
pub(crate) fn claims_of(extension: &str) -> Vec<String> {
    let prefix = format!("{extension}_");
    let claimed = TABLES.iter().filter(|table| table.starts_with(&prefix)).map(|table| (*table).to_owned());
    let reserved = RESERVED.iter().filter(|name| **name == extension).map(|name| format!("{name}_*"));
    claimed.chain(reserved).collect()
}

fn is_core(name: &str) -> bool {
    TABLES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_that_is_known_owns_a_name() {
        let owners = Owners::new(["volume", "volume_keeper", "a"].map(str::to_owned));
        for (name, owner) in [
            ("volume_rows", Owner::Extension("volume")),
            ("volume_keeper_rows", Owner::Extension("volume_keeper")),
            ("volume_keepers", Owner::Extension("volume")),
            ("volume_keeper", Owner::Extension("volume")),
            ("VOLUME_Keeper_Rows", Owner::Extension("volume_keeper")),
            ("volume_migrations", Owner::Extension("volume")),
            ("a_b_c_d", Owner::Extension("a")),
            ("volume", Owner::Nobody),
            ("volumes_rows", Owner::Nobody),
            ("b_volume_rows", Owner::Nobody),
            ("_rows", Owner::Nobody),
            ("", Owner::Nobody),
            ("nodes", Owner::Core),
            ("NODES", Owner::Core),
            ("core_migrations", Owner::Core),
            ("ünïcode_ä", Owner::Nobody),
        ] {
            assert_eq!(owners.of(name), owner, "{name}");
        }
        let without_the_longer = Owners::new(["volume".to_owned()]);
        assert_eq!(without_the_longer.of("volume_keeper_rows"), Owner::Extension("volume"));
    }

    #[test]
    fn a_type_of_events_is_its_extension_s_by_name_or_prefix_else_of_callers() {
        let owners = Owners::new(["volume", "volume_keeper", "nodes"].map(str::to_owned));
        for (kind, owner) in [
            ("nodes", Owner::Core),
            ("nodes_own", Owner::Extension("nodes")),
            ("volume", Owner::Extension("volume")),
            ("volume_x", Owner::Extension("volume")),
            ("volume_keeper", Owner::Extension("volume_keeper")),
            ("volume_keeper_x", Owner::Extension("volume_keeper")),
            ("volumes", Owner::Nobody),
            ("node", Owner::Nobody),
        ] {
            assert_eq!(owners.of_events(kind), owner, "{kind}");
        }
    }

    #[test]
    fn a_table_of_the_core_is_the_core_s_whatever_an_extension_is_called() {
        let owners = Owners::new(["node", "core"].map(str::to_owned));
        assert_eq!(owners.of("node_macs"), Owner::Core);
        assert_eq!(owners.of("core_migrations"), Owner::Core);
        assert_eq!(claims_of("node"), ["node_groups", "node_macs"]);
        assert_eq!(claims_of("core"), ["core_migrations"]);
        assert_eq!(claims_of("pg"), ["pg_*"]);
        assert_eq!(claims_of("nodes"), Vec::<String>::new());
    }
}
