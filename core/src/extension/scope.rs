//! Which extension a context was made for, and what the extensions of a server know of each other.

use super::{DeclaredType, Described, Fence, Metadata, Provided};
use crate::monitoring::Monitor;
use chrono::{DateTime, Utc};
use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// An extension as contexts need it.
pub(crate) struct Peer {
    pub(crate) metadata: &'static Metadata,
    pub(crate) settings: Arc<dyn Any + Send + Sync>,
    /// Its tables, and nothing else.
    pub(crate) fence: Arc<Fence>,
    pub(crate) provided: Vec<Provided>,
    /// The types of events that it publishes.
    pub(crate) events: Vec<DeclaredType>,
    /// Who answers its calls, by trait: places in the total order.
    pub(crate) calls: BTreeMap<TypeId, usize>,
    /// How long a call may take.
    pub(crate) limit: Duration,
    /// Why it has failed, once it has.
    pub(crate) failed: Arc<OnceLock<String>>,
}

/// What all contexts of one call share.
#[derive(Clone)]
pub(crate) struct Scope {
    /// All extensions, in the total order.
    pub(crate) peers: Arc<[Peer]>,
    /// The place of the one that is called.
    pub(crate) place: usize,
    /// The domain of the installation, for the names of nodes.
    pub(crate) domain: Arc<str>,
    pub(crate) now: DateTime<Utc>,
    pub(crate) monitor: Monitor,
}

impl Scope {
    /// The extension that is called.
    pub(crate) fn own(&self) -> &Peer {
        &self.peers[self.place]
    }

    /// The scope of another extension, at the same moment.
    pub(super) fn of_peer(&self, place: usize) -> Self {
        Self { place, ..self.clone() }
    }

    pub(super) fn settings<E: Described>(&self) -> &E::Settings {
        let own = self.own();
        own_settings::<E>(own.metadata, &*own.settings)
    }
}

/// The settings of an extension in its own type.
pub(super) fn own_settings<'s, E: Described>(own: &Metadata, settings: &'s (dyn Any + Send + Sync)) -> &'s E::Settings {
    settings.downcast_ref().unwrap_or_else(|| {
        panic!("`{}` asked for the settings of `{}`: only its own are given", own.name, E::METADATA.name)
    })
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scope")
            .field("extension", &self.own().metadata.name)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
