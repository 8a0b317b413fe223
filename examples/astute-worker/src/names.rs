//! What exchanges and queues are called.

use uuid::Uuid;

/// The names of exchanges and queues. The default ones are those of Nailgun and Astute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The exchange, the queue and the routing key of work.
    pub requests: String,
    /// The exchange of stops, which reach every worker.
    pub stops: String,
    /// The exchange, the queue and the routing key of replies.
    pub replies: String,
    /// The exchange and the queue of replies that could not be read.
    pub dead_letters: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            requests: "naily".to_owned(),
            stops: "naily_service".to_owned(),
            replies: "nailgun".to_owned(),
            dead_letters: "nailgun.dead".to_owned(),
        }
    }
}

impl Names {
    /// Names that nobody else has, so that tests can share a server.
    #[must_use]
    pub fn unique() -> Self {
        let mark = Uuid::now_v7().simple();
        let Self { requests, stops, replies, dead_letters } = Self::default();
        Self {
            requests: format!("{requests}-{mark}"),
            stops: format!("{stops}-{mark}"),
            replies: format!("{replies}-{mark}"),
            dead_letters: format!("{dead_letters}-{mark}"),
        }
    }

    /// The section of a Rivetgun server's settings with which it talks to a worker of these names.
    #[must_use]
    pub fn settings(&self, url: &str) -> String {
        let Self { requests, stops, replies, dead_letters } = self;
        format!(
            "[extensions.amqp_orchestrator]\nurl = \"{url}\"\nrequests = \"{requests}\"\nstops = \"{stops}\"\n\
             replies = \"{replies}\"\ndead_letters = \"{dead_letters}\"\n"
        )
    }
}
