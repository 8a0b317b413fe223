//! What an extension is given while the server is put together: its settings, and nothing else is there yet.

use super::{Described, Metadata};
use std::any::Any;

/// The context of what an extension declares with a view to its settings.
pub struct SetupContext<'a> {
    pub(crate) metadata: &'static Metadata,
    pub(crate) settings: &'a (dyn Any + Send + Sync),
}

impl SetupContext<'_> {
    /// The settings of the extension `E`, which must be the one that is called.
    #[must_use]
    pub fn settings<E: Described>(&self) -> &E::Settings {
        super::scope::own_settings::<E>(self.metadata, self.settings)
    }
}

impl std::fmt::Debug for SetupContext<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SetupContext").field("extension", &self.metadata.name).finish_non_exhaustive()
    }
}
