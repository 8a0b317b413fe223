//! The URLs of an extension.

use super::methods::{IntoMethods, Methods};
use std::fmt;

/// The URLs of an extension. [`urls!`](crate::urls) makes it.
#[derive(Default)]
pub struct Urls(Vec<UrlEntry>);

/// One pattern with what answers it.
#[derive(Clone)]
pub(crate) struct UrlEntry {
    pub(crate) pattern: &'static str,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) methods: Methods,
}

impl Urls {
    /// No URLs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These URLs and one more: a regular expression that the whole path below `/api/v1` must match, and what answers it:
    /// [`Methods`]. Named groups reach the handlers through [`Path`](axum::extract::Path).
    #[doc(hidden)] // `urls!` calls it
    #[must_use]
    pub fn at(mut self, pattern: &'static str, file: &'static str, line: u32, methods: impl IntoMethods) -> Self {
        self.0.push(UrlEntry { pattern, file, line, methods: methods.into_methods() });
        self
    }

    pub(crate) fn into_entries(self) -> Vec<UrlEntry> {
        self.0
    }
}

impl fmt::Debug for Urls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|entry| entry.pattern)).finish()
    }
}
