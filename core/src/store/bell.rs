//! Tells that the event log has grown.

use tokio::sync::watch;

/// Rung by whoever writes events, heard by whoever waits for them.
#[derive(Debug, Clone)]
pub(crate) struct Bell {
    /// How often events were written by this server.
    own: watch::Sender<u64>,
    /// How often they were by anybody, as far as is known.
    any: watch::Sender<u64>,
}

impl Default for Bell {
    fn default() -> Self {
        Self { own: watch::Sender::new(0), any: watch::Sender::new(0) }
    }
}

impl Bell {
    /// This server wrote events.
    pub(crate) fn ring(&self) {
        self.own.send_modify(|count| *count = count.wrapping_add(1));
        self.ring_from_afar();
    }

    /// Another server wrote events.
    pub(crate) fn ring_from_afar(&self) {
        self.any.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Hears of events of this server, to tell others.
    pub(crate) fn own(&self) -> watch::Receiver<u64> {
        self.own.subscribe()
    }

    /// Hears of all events.
    pub(crate) fn any(&self) -> watch::Receiver<u64> {
        self.any.subscribe()
    }
}
