//! Calls an orchestrator of an extension. How long it takes is its own affair: it may wait for a broker for hours.

use super::{Call, contain};
use crate::{extension::Error, registry::Loaded};
use std::{future::Future, time::Duration};

/// Calls it; a fault comes back as a text for people.
pub(crate) async fn orchestrate<T, F>(
    loaded: &Loaded,
    method: &'static str,
    work: impl FnOnce() -> F,
) -> Result<T, String>
where
    F: Future<Output = Result<T, Error>>,
{
    let call = Call { extension: loaded.metadata.name, method, limit: Duration::MAX };
    contain(call, work).await.map_err(|fault| format!("extension `{}` {}", call.extension, fault.public(method)))
}
