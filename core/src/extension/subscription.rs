//! Which events an extension hears of after they were committed.

use super::ExtensionContext;
use crate::model::{Filter, InvalidFilter};
use std::ops::Deref;

/// What an extension subscribes to; see [`Extension::subscriptions`](super::Extension::subscriptions).
///
/// A subscription is durable: it keeps its place in the event log while the server is down, and while the extension is not
/// in the build. Each has a place, retries and dead letters of its own, so that one that fails holds up no other.
///
/// ```
/// # use rivetgun::prelude::*;
/// # let subscriptions =
/// Subscriptions::new().to("nodes.create,delete.* clusters.*.*")
/// # ;
/// ```
#[derive(Debug, Default)]
pub struct Subscriptions(Vec<(String, Declared)>);

/// A subscription as it was declared.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) filter: Result<Filter, InvalidFilter>,
    pub(crate) begin: Begin,
}

/// Where a subscription begins that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With what happens from now on.
    Now,
    /// With the oldest event that is kept.
    AtTheBeginning,
}

impl Subscriptions {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Subscribes to the events that a [`Filter`] takes, from now on.
    ///
    /// A filter that is none stops the start of the server, and is told there.
    #[must_use]
    pub fn to(self, filter: &str) -> Self {
        self.named("", filter)
    }

    /// Subscribes a second time, independently of the first: with a name, by which
    /// [`EventContext::subscription`] tells them apart. Its place in the log is kept under that name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, filter: &str) -> Self {
        self.0.push((name.into(), Declared { filter: filter.parse(), begin: Begin::Now }));
        self
    }

    /// Lets what was subscribed to last begin with the oldest event that is kept, where it is new.
    #[must_use]
    pub fn from_the_beginning(mut self) -> Self {
        if let Some((_, declared)) = self.0.last_mut() {
            declared.begin = Begin::AtTheBeginning;
        }
        self
    }

    pub(crate) fn into_vec(self) -> Vec<(String, Declared)> {
        self.0
    }
}

/// The context of [`handle_event`](super::Extension::handle_event): that of a URL handler, and which time it is.
#[derive(Debug)]
pub struct EventContext {
    pub(crate) cx: ExtensionContext,
    pub(crate) subscription: String,
    pub(crate) attempt: u32,
}

impl EventContext {
    /// The name of the subscription that took the event; empty for one without a name.
    #[must_use]
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The how-manieth time the event is handled, as far as is known: 1 at first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl Deref for EventContext {
    type Target = ExtensionContext;

    fn deref(&self) -> &ExtensionContext {
        &self.cx
    }
}
