//! What somebody may do.

use super::words;

words! {
    /// What somebody may do; each role may do what those before it may.
    pub enum Role {
        /// Anybody, without credentials.
        Public = "public",
        /// Reads.
        Viewer = "viewer",
        /// Reads and changes.
        Operator = "operator",
        /// Does everything.
        Admin = "admin",
    }
}
