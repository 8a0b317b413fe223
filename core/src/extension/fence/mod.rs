//! The fence around the tables of an extension: what its statements may name, whatever they are made with.
//!
//! Every statement that goes through a [`Db`](super::Db) passes here, those of the ORM and raw ones alike. A text is
//! parsed once; what came of it is remembered.

mod statement;

use crate::{
    codes::catalogue,
    store::{Owner, Owners},
};
use quick_cache::sync::Cache;
use sea_orm::{DbBackend, DbErr};
use std::{fmt, sync::Arc};

catalogue! {
    RG0301 = "an extension reached for what is not its own";
}

/// How many texts are remembered for each extension; an extension that makes up new ones all the time has each parsed.
const REMEMBERED: usize = 1_000;
/// So many characters of a statement are told of.
const SHOWN: usize = 300;
/// Longer texts are not remembered.
const LONGEST: usize = 16 * 1024;

/// What a handle on the database is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Whether a statement keeps to the tables of its extension.
type Verdict = Result<Access, Arc<str>>;

/// The fence of one extension.
pub(crate) struct Fence {
    extension: &'static str,
    owners: Arc<Owners>,
    verdicts: Cache<Box<str>, Verdict>,
}

impl Fence {
    pub(crate) fn new(extension: &'static str, owners: Arc<Owners>) -> Self {
        Self { extension, owners, verdicts: Cache::new(REMEMBERED) }
    }

    /// Lets a statement pass, or says what it reaches for.
    pub(super) fn check(&self, backend: DbBackend, sql: &str, access: Access) -> Result<(), DbErr> {
        let verdict = self.verdicts.get(sql).unwrap_or_else(|| {
            let verdict = self.judge(backend, sql);
            if sql.len() <= LONGEST {
                self.verdicts.insert(sql.into(), verdict.clone());
            }
            verdict
        });
        let offence = match (verdict, access) {
            (Err(offence), _) => offence,
            (Ok(Access::Write), Access::Read) => {
                Arc::from("changes rows, through a handle to read with: a URL handler begins a transaction for that")
            }
            (Ok(_), _) => return Ok(()),
        };
        let shown: String = sql.chars().take(SHOWN).collect();
        Err(DbErr::Custom(format!("{}: a statement of extension `{}` {offence}: {shown}", RG0301.code, self.extension)))
    }

    fn judge(&self, backend: DbBackend, sql: &str) -> Verdict {
        let reached = statement::reached(backend, sql)?;
        let foreign = reached.relations.iter().filter_map(|relation| self.offence(relation));
        let foreign: Vec<String> = foreign.collect();
        match (foreign.is_empty(), reached.writes) {
            (false, _) => Err(foreign.join(", ").into()),
            (true, true) => Ok(Access::Write),
            (true, false) => Ok(Access::Read),
        }
    }

    fn offence(&self, relation: &str) -> Option<String> {
        if relation.strip_suffix("_migrations") == Some(self.extension) {
            return Some(format!("names `{relation}`, the history of its migrations, which is the server's"));
        }
        match self.owners.of(relation) {
            Owner::Extension(owner) if owner == self.extension => None,
            Owner::Extension(owner) => Some(format!(
                "names `{relation}`, which belongs to extension `{owner}`: ask for it through what that one provides"
            )),
            Owner::Core => Some(format!(
                "names `{relation}`, which belongs to the core: the context's `model()` has what is in it"
            )),
            Owner::Nobody => Some(format!(
                "names `{relation}`, which is not its own: the names of its tables begin with `{}_`",
                self.extension
            )),
        }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fence").field("extension", &self.extension).finish_non_exhaustive()
    }
}
