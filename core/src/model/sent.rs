//! What was sent to an orchestrator, as it was sent.

/// One document of what a task sent, with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentDocument {
    /// The node that it was for; absent for the document that all nodes share.
    pub(crate) node: Option<i64>,
    /// SHA-256 of the document's bytes, in hexadecimal.
    pub(crate) sha256: String,
    /// The document, as compact JSON.
    pub(crate) document: String,
}
