//! Who does what is being done, for the event log.

use std::sync::Arc;

tokio::task_local! {
    static PRINCIPAL: Arc<str>;
}

/// Who is acting: the server itself where nobody else is.
pub(crate) fn current() -> Arc<str> {
    PRINCIPAL.try_with(Arc::clone).unwrap_or_else(|_| "server".into())
}

/// Does something in the name of a principal.
pub(crate) async fn acting<T>(principal: impl Into<Arc<str>>, work: impl Future<Output = T>) -> T {
    PRINCIPAL.scope(principal.into(), work).await
}

/// The name under which an extension acts.
pub(crate) fn extension(name: &str) -> Arc<str> {
    format!("extension:{name}").into()
}
