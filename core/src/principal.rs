//! Who does what is being done, for the event log; and what somebody may do who calls the API.

use crate::model::Role;
use std::sync::Arc;

/// What whoever calls may do: the server does not ask yet who that is.
pub(crate) const OPEN: Role = Role::Operator;

/// The server itself.
pub(crate) const SERVER: &str = "server";

/// Whoever calls the API.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Whoever runs a command.
pub(crate) const CLI: &str = "cli";

tokio::task_local! {
    static PRINCIPAL: Arc<str>;
}

/// Who is acting: the server itself where nobody else is.
pub(crate) fn current() -> Arc<str> {
    PRINCIPAL.try_with(Arc::clone).unwrap_or_else(|_| SERVER.into())
}

/// Does something in the name of a principal.
pub(crate) async fn acting<T>(principal: impl Into<Arc<str>>, work: impl Future<Output = T>) -> T {
    PRINCIPAL.scope(principal.into(), work).await
}

/// The name under which an extension acts.
pub(crate) fn extension(name: &str) -> Arc<str> {
    format!("extension:{name}").into()
}

/// Whether that is the name of an extension that acts.
pub(crate) fn is_extension(principal: &str) -> bool {
    principal.starts_with("extension:")
}

/// The name under which what an orchestrator reports is written down.
pub(crate) fn orchestrator(name: &str) -> Arc<str> {
    format!("orchestrator:{name}").into()
}
