//! The events that an extension publishes.

use super::{Error, Metadata, Result, Scope};
use crate::model::{Object, Published, Role, Unpublishable};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Display;

/// The types of events that an extension publishes; see [`Extension::events`](super::Extension::events).
///
/// A type is the name of the extension, or begins with it and `_`. Nobody reads a type through the API that was not made
/// readable here, and of what was not declared nothing is published. Subscriptions of extensions take all of them.
///
/// ```
/// # use rivetgun::prelude::*;
/// # let types =
/// EventTypes::new()
///     .readable_by(Role::Viewer, "doorkeeper_visits", "Somebody came: the key is the name of the node")
///     .private("doorkeeper_keys", "A key was changed")
/// # ;
/// ```
#[derive(Debug, Default)]
pub struct EventTypes(Vec<DeclaredType>);

/// A type of events as it was declared.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredType {
    pub(crate) kind: &'static str,
    pub(crate) description: &'static str,
    /// Who may read it through the API; nobody where it says none.
    pub(crate) role: Option<Role>,
}

impl EventTypes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A type that whoever has this role may read through the API, with a line that tells what it is about.
    #[must_use]
    pub fn readable_by(mut self, role: Role, kind: &'static str, description: &'static str) -> Self {
        self.0.push(DeclaredType { kind, description, role: Some(role) });
        self
    }

    /// A type that extensions can subscribe to, and that nobody reads through the API.
    #[must_use]
    pub fn private(mut self, kind: &'static str, description: &'static str) -> Self {
        self.0.push(DeclaredType { kind, description, role: None });
        self
    }

    pub(crate) fn into_vec(self) -> Vec<DeclaredType> {
        self.0
    }
}

/// An event of the extension that is called.
pub(super) fn published(
    scope: &Scope,
    kind: &str,
    action: &str,
    key: &impl Display,
    object: &impl Serialize,
) -> Result<Published> {
    let own = scope.own();
    if !own.events.iter().any(|declared| declared.kind == kind) {
        let Metadata { name, .. } = own.metadata;
        return Err(Error::failed(format!(
            "`{name}` publishes events of the type `{kind}`, which it does not declare; add it to `events()`"
        )));
    }
    let object = match serde_json::to_value(object)? {
        Value::Object(object) => object,
        Value::Null => Object::new(),
        other => {
            let why = format!("the object of an event is a JSON object, and not {other}");
            return Err(Error::failed(why.chars().take(500).collect::<String>()));
        }
    };
    let told = |wrong: Vec<Unpublishable>| {
        let parts = wrong.into_iter().map(|Unpublishable { part, why }| format!("{part}: {why}"));
        Error::failed(format!("an event cannot be published: {}", parts.collect::<Vec<_>>().join("; ")))
    };
    Published::new(kind.to_owned(), action.to_owned(), key.to_string(), object).map_err(told)
}
