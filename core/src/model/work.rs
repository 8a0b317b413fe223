//! What is done to nodes.

use super::words::words;

words! {
    /// What an orchestrator does to nodes.
    pub enum Work {
        /// Gives them an operating system.
        Provision = "provision",
        /// Gives them their roles.
        Deployment = "deployment",
        /// Stops another task that works on them.
        Stop = "stop",
        /// Takes everything from them: they boot their agent again, and are discovered anew.
        Reset = "reset",
        /// Takes everything from them, and forgets them.
        Removal = "removal",
    }
}
