//! What somebody may do.

use super::words;

words! {
    /// What somebody may do; each role may do what those before it may.
    ///
    /// Who a caller is, the server does not ask yet: roles are kept and listed, and nothing is refused for want of one.
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
