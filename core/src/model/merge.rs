//! How the part that all nodes share and the part of one node become one document.
//!
//! The rule is Nailgun's: objects are merged key by key, at every depth; a list or a scalar of the node replaces the
//! common one. `null` is a value like any other, which is why this is not a JSON merge patch.

use super::Object;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// Merges `over` into `base`, as the part of a node is merged into what all nodes share: objects key by key, at every depth;
/// everything else replaces what is there, `null` included.
///
/// ```
/// # use rivetgun::prelude::*;
/// let (mut base, mut over) = (Object::new(), Object::new());
/// base.insert("ntp".into(), json!({"servers": ["10.20.0.1"], "drift": true}));
/// over.insert("ntp".into(), json!({"servers": ["10.30.0.1"]}));
/// merge(&mut base, over);
/// assert_eq!(base["ntp"], json!({"servers": ["10.30.0.1"], "drift": true}));
/// ```
pub fn merge(base: &mut Object, over: Object) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (Some(below), above) => *below = above,
            (None, above) => {
                base.insert(key, above);
            }
        }
    }
}

/// The merged document as a view: it serializes like the result of [`merge`] and copies nothing, so that a cluster of
/// any size is sent without ever standing in memory merged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merged<'a> {
    base: &'a Object,
    over: &'a Object,
}

impl<'a> Merged<'a> {
    /// The view of `over` laid on `base`.
    #[must_use]
    pub(crate) fn new(base: &'a Object, over: &'a Object) -> Self {
        Self { base, over }
    }
}

impl Serialize for Merged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, below) in self.base {
            match (below, self.over.get(key)) {
                (below, None) => map.serialize_entry(key, below)?,
                (Value::Object(base), Some(Value::Object(over))) => map.serialize_entry(key, &Self { base, over })?,
                (_, Some(above)) => map.serialize_entry(key, above)?,
            }
        }
        for (key, above) in self.over.iter().filter(|(key, _)| !self.base.contains_key(*key)) {
            map.serialize_entry(key, above)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{Merged, Object, merge};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => Object::from_iter([("only".to_owned(), other)]),
        }
    }

    #[test]
    fn objects_merge_and_everything_else_replaces() {
        let mut base = object(json!({"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": null}));
        merge(&mut base, object(json!({"a": {"y": [3], "z": null}, "b": {"n": 1}, "d": 4})));
        assert_eq!(Value::Object(base), json!({"a": {"x": 1, "y": [3], "z": null}, "b": {"n": 1}, "c": null, "d": 4}));
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..9i64).prop_map(Value::from)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map("[a-c]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_view_shows_what_the_merge_makes(base in documents(), over in documents()) {
            let (base, over) = (object(base), object(over));
            let view = serde_json::to_value(Merged::new(&base, &over)).expect("values serialize");
            let mut merged = base;
            merge(&mut merged, over);
            prop_assert_eq!(view, Value::Object(merged));
        }
    }
}
