//! The fence around an extension's migrations: what is not its own stays as it was, or all of it is rolled back.
//!
//! The catalogue is taken before and after, in the transaction of the migrations, and compared. Own is what begins with
//! the extension's prefix and, where it is a part of a table, stands on an own table. Refused is everything else that came,
//! went or changed, own things that need somebody else's, and writes to rows of others.
//!
//! Functions are refused altogether: nobody could say what their text reaches when they are called.
//!
//! A migration is code in this process: the fence finds mistakes, and does not stop who means harm. Not seen are:
//! `setval` and `nextval` on sequences of others on PostgreSQL (they are not transactional), roles, and on SQLite rows of
//! virtual tables.

mod catalogue;
mod offence;
mod postgres;
mod sqlite;

pub(crate) use offence::Offence;

use super::{BUFFER, Owner, Owners, migrate::drops};
use catalogue::{Catalogue, Object, RowCount};
use offence::Event;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether what is written on a connection of SQLite may be committed. PostgreSQL has a trigger for that.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    closed: AtomicBool,
    tried: AtomicBool,
}

impl Gate {
    /// What the hook asks: `false` turns the commit into a rollback.
    pub(crate) fn may_commit(&self) -> bool {
        let closed = self.0.closed.load(Ordering::SeqCst);
        self.0.tried.fetch_or(closed, Ordering::SeqCst);
        !closed
    }

    fn close(&self) {
        self.0.tried.store(false, Ordering::SeqCst);
        self.0.closed.store(true, Ordering::SeqCst);
    }

    fn open(&self) {
        self.0.closed.store(false, Ordering::SeqCst);
    }
}

/// Something that belongs to an extension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Own {
    pub(crate) kind: String,
    pub(crate) name: String,
}

/// A fence that stands around a transaction. Dropped, it is open again; what was written must be rolled back before.
pub(super) struct Fence<'a> {
    owners: &'a Owners,
    extension: &'a str,
    gate: Gate,
    /// PostgreSQL: the schema of our tables, and the id of the transaction.
    home: String,
    transaction: String,
    before: Catalogue,
    /// PostgreSQL: how many rows waited for the extension, of which it may take any.
    buffered: i64,
}

impl Drop for Fence<'_> {
    fn drop(&mut self) {
        self.gate.open();
    }
}

impl<'a> Fence<'a> {
    pub(super) async fn raise(
        tx: &DatabaseTransaction,
        gate: &Gate,
        owners: &'a Owners,
        extension: &'a str,
    ) -> Result<Self, DbErr> {
        let mut fence = Self {
            owners,
            extension,
            gate: gate.clone(),
            home: String::new(),
            transaction: String::new(),
            before: Catalogue::default(),
            buffered: 0,
        };
        if is_postgres(tx) {
            postgres::raise(tx).await?;
            fence.home = postgres::home(tx).await?;
            fence.transaction = postgres::transaction(tx).await?;
            fence.before = postgres::catalogue(tx, &fence.home).await?;
            fence.buffered = postgres::buffered(tx, extension).await?;
        } else {
            sqlite::raise(tx, extension, |table| !fence.is_own(table)).await?;
            fence.before = sqlite::catalogue(tx).await?;
            fence.gate.close();
        }
        Ok(fence)
    }

    /// Everything that is not as it was and should be. With an empty list the transaction can be committed, by its owner
    /// and once the fence is [lowered](Self::lower).
    pub(super) async fn offences(&self, tx: &DatabaseTransaction) -> Result<BTreeSet<Offence>, DbErr> {
        if self.has_ended(tx).await? {
            return Ok(BTreeSet::from([Offence::ended()]));
        }
        let postgres = is_postgres(tx);
        let mut after =
            if postgres { postgres::catalogue(tx, &self.home).await? } else { sqlite::catalogue(tx).await? };
        let mut offences = BTreeSet::new();
        self.compare_objects(&after, &mut offences);
        if postgres {
            let taken = self.buffered - postgres::buffered(tx, self.extension).await?;
            self.compare_rows(&after, taken, &mut offences);
        } else {
            let rows = sqlite::rows(tx).await?;
            offences.extend(rows.iter().filter(|count| !count.is_zero()).map(|count| self.rows_of(count)));
            for table in sqlite::unwatched(tx).await? {
                offences.insert(Offence::foreign(Event::Dropped, "table", &table, self.owners.of(&table)));
            }
            let is_new = |(key, object): &(&String, &Object)| self.before.objects.get(*key) != Some(*object);
            let changed: Vec<&Object> = after.objects.iter().filter(is_new).map(|(_, object)| object).collect();
            for object in changed.iter().filter(|object| sqlite::mentions(&object.digest, "ROLLBACK")) {
                offences.insert(Offence::rolling_back(&object.kind, &object.name));
            }
            let texts = changed.iter().filter(|object| matches!(object.kind.as_str(), "view" | "trigger"));
            let names: BTreeSet<&str> = texts.map(|object| object.name.as_str()).collect();
            let mut references = sqlite::mentioned(tx, &changed, |name| !self.is_own(name)).await?;
            if !names.is_empty() {
                references.extend(sqlite::reached(tx, &names, |table| !self.is_own(table)).await?);
            }
            after.references.extend(references);
        }
        self.compare_references(&after, &mut offences);
        Ok(offences)
    }

    /// Whether this error comes of a migration that ended its transaction.
    pub(super) async fn was_left(&self, tx: &DatabaseTransaction, error: &DbErr) -> bool {
        if is_postgres(tx) && postgres::tells_of_end(error) {
            return true;
        }
        // In a transaction that an error has spoilt PostgreSQL answers nothing; it goes on, then.
        self.has_ended(tx).await.unwrap_or(false)
    }

    async fn has_ended(&self, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
        if is_postgres(tx) {
            return Ok(postgres::transaction(tx).await? != self.transaction);
        }
        Ok(self.gate.0.tried.load(Ordering::SeqCst) || !sqlite::is_raised(tx).await?)
    }

    /// What is the extension's own and stands for itself, sorted: tables, views, types; not what goes with a table.
    pub(super) fn own(&self) -> Vec<Own> {
        let own = self.before.objects.values().filter(|object| object.can_be_owned && object.table == object.name);
        let own = own.filter(|object| object.kind != "sequence" || !self.home.is_empty());
        let own = own.filter(|object| self.is_own(&object.name));
        let mut own: Vec<Own> =
            own.map(|object| Own { kind: object.kind.clone(), name: object.name.clone() }).collect();
        own.sort();
        own
    }

    /// The statements that drop all of [`own`](Self::own).
    pub(super) fn drops(&self, backend: DbBackend) -> Vec<String> {
        let references = self.before.references.iter().filter(|reference| reference.kind == "foreign key");
        let mut with_foreign_keys: Vec<String> =
            references.map(|reference| reference.table.clone()).filter(|table| self.is_own(table)).collect();
        with_foreign_keys.dedup();
        drops(backend, &self.own(), &with_foreign_keys)
    }

    /// Opens the way for the commit.
    pub(super) async fn lower(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        if is_postgres(tx) { postgres::lower(tx).await } else { sqlite::lower(tx).await }
    }

    fn is_own(&self, name: &str) -> bool {
        self.owners.of(name) == Owner::Extension(self.extension)
    }

    fn compare_objects(&self, after: &Catalogue, offences: &mut BTreeSet<Offence>) {
        let keys: BTreeSet<&String> = self.before.objects.keys().chain(after.objects.keys()).collect();
        for key in keys {
            match (self.before.objects.get(key), after.objects.get(key)) {
                (Some(before), Some(after)) if before == after => {}
                (Some(before), Some(after)) if before.name != after.name => {
                    if let Some(offence) = self.judge(before, Event::RenamedTo(&after.name)) {
                        offences.insert(offence);
                    } else {
                        offences.extend(self.judge(after, Event::Made));
                    }
                }
                (Some(before), Some(after)) => {
                    let offence = self.judge(before, Event::Changed).or_else(|| self.judge(after, Event::Changed));
                    offences.extend(offence);
                }
                (Some(before), None) => offences.extend(self.judge(before, Event::Dropped)),
                (None, Some(after)) => offences.extend(self.judge(after, Event::Made)),
                (None, None) => {}
            }
        }
    }

    /// What is wrong with this having happened to this object.
    fn judge(&self, object: &Object, event: Event<'_>) -> Option<Offence> {
        let Object { kind, table, name, .. } = object;
        if !object.can_be_owned {
            return Some(Offence::shared(kind, name));
        }
        if kind == "function" && event != Event::Dropped {
            return Some(Offence::unreadable(kind, name));
        }
        let is_part = table != name;
        if !self.is_own(table) {
            let owner = self.owners.of(table);
            return Some(if is_part {
                Offence::foreign(event, kind, &format!("{name}` of table `{table}"), owner)
            } else if event == Event::Made && owner == Owner::Nobody {
                Offence::misnamed(kind, name, None, self.extension)
            } else {
                Offence::foreign(event, kind, name, owner)
            });
        }
        // A rule has no name but on its table.
        (kind != "rule" && !self.is_own(name)).then(|| match self.owners.of(name) {
            Owner::Nobody => Offence::misnamed(kind, name, Some(table), self.extension),
            owner => Offence::foreign(event, kind, name, owner),
        })
    }

    fn compare_rows(&self, after: &Catalogue, taken: i64, offences: &mut BTreeSet<Offence>) {
        for (key, count) in &after.rows {
            let earlier = self.before.rows.get(key);
            let mut since = count.clone();
            if let Some(earlier) = earlier {
                since.inserted -= earlier.inserted;
                since.updated -= earlier.updated;
                since.deleted -= earlier.deleted;
            }
            if count.at_home && count.table == BUFFER {
                since.deleted -= taken;
            }
            let is_own = count.at_home && self.is_own(&count.table);
            if !since.is_zero() && !is_own {
                offences.insert(self.rows_of(&since));
            }
        }
    }

    fn rows_of(&self, count: &RowCount) -> Offence {
        Offence::rows(&count.table, self.owners.of(&count.table))
    }

    fn compare_references(&self, after: &Catalogue, offences: &mut BTreeSet<Offence>) {
        for reference in after.references.difference(&self.before.references) {
            let stands_on_it = reference.kind == "trigger" && reference.table == reference.to;
            if self.is_own(&reference.table) && !self.is_own(&reference.to) && !stands_on_it {
                let to = format!("{} `{}`", reference.to_kind, reference.to);
                let owner = self.owners.of(&reference.to);
                offences.insert(Offence::reference(&reference.kind, &reference.name, &reference.table, &to, owner));
            }
        }
    }
}

fn is_postgres(tx: &DatabaseTransaction) -> bool {
    tx.get_database_backend() == DbBackend::Postgres
}
