//! What an update changed, field by field.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields that an update changed, with their old and new values as the API shows them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Change {
    fields: BTreeMap<String, FieldChange>,
}

/// One field before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// The value before the update; `null` where the field did not exist.
    pub old: Value,
    /// The value after the update; `null` where the field is gone.
    pub new: Value,
}

impl Change {
    /// Compares the API forms of something before and after an update.
    pub(crate) fn between<T: Serialize>(old: &T, new: &T) -> Self {
        let (mut old, new) = (object(old), object(new));
        let mut fields = BTreeMap::new();
        for (name, new) in new {
            let old = old.remove(&name).unwrap_or(Value::Null);
            if old != new {
                fields.insert(name, FieldChange { old, new });
            }
        }
        fields.extend(old.into_iter().map(|(name, old)| (name, FieldChange { old, new: Value::Null })));
        Self { fields }
    }

    /// Whether the field of this name changed, for example `"pending_roles"`.
    #[must_use]
    pub fn contains(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// The old and the new value of a field, where it changed.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&FieldChange> {
        self.fields.get(field)
    }

    /// All changed fields, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldChange)> {
        self.fields.iter().map(|(name, change)| (name.as_str(), change))
    }

    /// Whether a field outside `ignored` changed.
    pub(crate) fn is_more_than(&self, ignored: &[&str]) -> bool {
        self.fields.keys().any(|name| !ignored.contains(&name.as_str()))
    }
}

fn object<T: Serialize>(value: &T) -> super::Object {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => super::Object::new(),
    }
}
