//! Releases: what a cluster is deployed with, and its defaults.

use super::words::words;
use serde::Serialize;
use utoipa::ToSchema;

words! {
    /// Whether clusters can be made of a release.
    pub enum ReleaseState {
        /// Clusters can be made of it.
        Available = "available",
        /// It can no longer be used.
        Unavailable = "unavailable",
        /// Existing clusters go on, new ones are refused.
        ManageOnly = "manageonly",
    }
}

/// A named version of what clusters run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Release {
    /// Its id.
    pub id: i64,
    /// Its name, unique together with the version.
    pub name: String,
    /// Its version, in whatever form the operator counts.
    pub version: String,
    /// What it is, for people.
    pub description: String,
    /// The operating system that its nodes run.
    pub operating_system: String,
    /// Whether clusters can be made of it.
    pub state: ReleaseState,
    /// The roles that its nodes may have; when empty, any.
    pub roles: Vec<String>,
    /// The extensions that a new cluster has enabled.
    pub extensions: Vec<String>,
}

impl Release {
    /// The roles among `wanted` that this release does not know.
    pub(crate) fn unknown_roles<'a>(&self, wanted: &'a [String]) -> Vec<&'a str> {
        if self.roles.is_empty() {
            return Vec::new();
        }
        wanted.iter().filter(|role| !self.roles.contains(role)).map(String::as_str).collect()
    }
}
