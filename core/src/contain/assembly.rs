//! Collects what an extension declares: plain calls, once at boot.

use super::{Call, Fault, contain_plain};
use crate::extension::{DynExtension, DynPipeline, UrlEntry};
use sea_orm_migration::MigrationTrait;
use std::{sync::Arc, time::Duration};

/// What an extension declares.
pub(crate) struct Parts {
    pub(crate) urls: Vec<UrlEntry>,
    pub(crate) migrations: Vec<Arc<dyn MigrationTrait>>,
    pub(crate) pipelines: Vec<Arc<dyn DynPipeline>>,
}

/// Asks an extension for its URLs, migrations and pipelines. The fault carries the method in which it happened.
pub(crate) fn assemble(extension: &dyn DynExtension) -> Result<Parts, (&'static str, Fault)> {
    Ok(Parts {
        urls: declared(extension, "urls", |extension| extension.urls().into_entries())?,
        migrations: declared(extension, "migrations", |extension| extension.migrations().into_vec())?,
        pipelines: declared(extension, "pipelines", |extension| extension.pipelines().into_vec())?,
    })
}

fn declared<T>(
    extension: &dyn DynExtension,
    method: &'static str,
    list: impl FnOnce(&dyn DynExtension) -> T,
) -> Result<T, (&'static str, Fault)> {
    let call = Call { extension: extension.metadata().name, method, limit: Duration::MAX };
    contain_plain(call, || Ok(list(extension))).map_err(|fault| (method, fault))
}
