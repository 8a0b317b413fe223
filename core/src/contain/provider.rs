//! Calls what one extension provides to another. The call is attributed to the one that answers it.

use super::{Call, Fault, contain};
use crate::extension::{CallContext, Error, Kind, Provider, Result, veto};
use std::future::Future;

impl<T: ?Sized> Provider<'_, T> {
    /// Calls it, as in `racks.call(|racks, cx| racks.of_node(cx, node)).await?`.
    ///
    /// It works with its own settings on its own tables, in the transaction or the snapshot of the caller: what it writes
    /// commits or rolls back with that, and is rolled back when the call fails. In one transaction calls go one after the
    /// other.
    ///
    /// # Errors
    /// What it answers that is meant for callers, as it is. Anything else, a panic and a time-out become a failure of the
    /// caller, which names the extension that was called.
    pub async fn call<'p, R, F>(&'p self, call: impl FnOnce(&'p T, &'p CallContext) -> F) -> Result<R>
    where
        F: Future<Output = Result<R>>,
    {
        let own = self.cx.scope.own();
        let contained = Call { extension: own.metadata.name, method: std::any::type_name::<T>(), limit: own.limit };
        // Half of what it wrote must not stay with a caller that goes on without it.
        let outcome = self.cx.db.in_part(contain(contained, || call(&self.provider, &self.cx))).await?;
        outcome.map_err(|fault| match fault {
            Fault::Refused(reason) => veto(reason),
            Fault::Failed(error) if !matches!(error.kind(), Kind::Failed(_)) => error,
            fault => Error::failed(format!("extension `{}` {fault}", own.metadata.name)),
        })
    }
}
