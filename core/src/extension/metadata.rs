//! What is known of an extension without running it. The attribute macros write all of it.

use super::{DynExtension, Extension, dynamic::Instance};
use serde::de::DeserializeOwned;
use std::fmt;

/// What `#[extension]` knows of an extension at compile time.
#[derive(Debug)]
pub struct Metadata {
    /// Its name: prefix of its tables, key in settings, lists and messages.
    pub name: &'static str,
    /// Its version, semantic.
    pub version: &'static str,
    /// What it does, in a line.
    pub description: &'static str,
    /// Where to read more.
    pub url: &'static str,
    /// The package that it comes from.
    pub krate: &'static str,
    /// The file of its `impl Extension`.
    pub file: &'static str,
    /// The line of its `impl Extension`.
    pub line: u32,
    /// Lower runs earlier; decides after `after` and `requires`, before the name.
    pub priority: i32,
    /// Extensions that come before it; one that is not in the build is an error at boot.
    pub after: &'static [&'static str],
    /// Extensions that come before it, in a version that fits: `volume_manager >= 1.2`.
    pub requires: &'static [&'static str],
    /// The methods of the contract that it overrides, in source order.
    pub overrides: &'static [&'static str],
}

impl Metadata {
    /// Whether the extension has a method of this name in its `impl`.
    pub(crate) fn overrides(&self, method: &str) -> bool {
        self.overrides.contains(&method)
    }

    /// The hooks among the overridden methods: what runs in the transaction of a change.
    pub(crate) fn hooks(&self) -> impl Iterator<Item = &'static str> {
        self.overrides.iter().copied().filter(|method| method.starts_with("on_") && *method != "on_monitoring")
    }
}

/// What `#[pipeline]` knows of a pipeline at compile time.
#[derive(Debug)]
pub struct PipelineMetadata {
    /// Its name: the type's, unless another was given.
    pub name: &'static str,
    /// The file of its `impl Pipeline`.
    pub file: &'static str,
    /// The line of its `impl Pipeline`.
    pub line: u32,
    /// The methods of the contract that it overrides, in source order.
    pub overrides: &'static [&'static str],
}

/// Implemented by `#[extension]`, and by nothing else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a registered extension",
    label = "this type lacks `#[extension]`",
    note = "put `#[extension(name = \"…\")]` on its `impl Extension for {Self}`"
)]
pub trait Described {
    /// The settings below `[extensions.<name>]`.
    type Settings: DeserializeOwned + Send + Sync + 'static;

    /// What is known of it.
    const METADATA: &'static Metadata;
}

/// Implemented by `#[pipeline]`, and by nothing else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a described pipeline",
    label = "this type lacks `#[pipeline]`",
    note = "put `#[pipeline]` on its `impl Pipeline for {Self}`"
)]
pub trait DescribedPipeline {
    /// What is known of it.
    const METADATA: &'static PipelineMetadata;
}

/// The one thing that an extension submits to `inventory`.
#[derive(Clone, Copy)]
pub struct Registration {
    pub(crate) metadata: &'static Metadata,
    pub(crate) make: fn() -> Box<dyn DynExtension>,
}

impl Registration {
    /// The registration of `E`.
    #[must_use]
    pub const fn of<E: Extension + Default>() -> Self {
        Self { metadata: E::METADATA, make: || Box::new(Instance(E::default())) }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Registration").field(&self.metadata.name).finish()
    }
}

inventory::collect!(Registration);
