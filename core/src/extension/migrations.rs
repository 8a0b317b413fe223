//! The migrations of an extension.

use sea_orm_migration::MigrationTrait;
use std::{fmt, sync::Arc};

/// The migrations of an extension, oldest first. [`migrations!`](crate::migrations) makes it.
#[derive(Default)]
pub struct Migrations(Vec<Arc<dyn MigrationTrait>>);

impl Migrations {
    /// No migrations.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These migrations and, after them, one more.
    #[must_use]
    pub fn with(mut self, migration: impl MigrationTrait + 'static) -> Self {
        self.0.push(Arc::new(migration));
        self
    }

    pub(crate) fn into_vec(self) -> Vec<Arc<dyn MigrationTrait>> {
        self.0
    }
}

impl fmt::Debug for Migrations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|migration| migration.name())).finish()
    }
}
