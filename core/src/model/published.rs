//! What a caller or an extension may publish as an event.

use super::{Object, contains_nul};
use serde_json::Value;

/// How long the words of an event may be, and its key, in letters; and its object, in bytes of JSON. Whoever reads the log
/// holds a few of them in memory.
const WORD: usize = 64;
const KEY: usize = 255;
const OBJECT: usize = 256 << 10;

/// An event that somebody publishes, before it has its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) kind: String,
    pub(crate) action: String,
    pub(crate) key: String,
    pub(crate) object: Object,
}

/// What is wrong with one part of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpublishable {
    /// Which part it is: `type`, `action`, `key`, `object`.
    pub(crate) part: &'static str,
    pub(crate) why: String,
}

impl Published {
    /// An event of these parts, or all that is wrong with them.
    pub(crate) fn new(kind: String, action: String, key: String, object: Object) -> Result<Self, Vec<Unpublishable>> {
        let mut wrong = Vec::new();
        let mut check = |part, problem: Option<String>| {
            wrong.extend(problem.map(|why| Unpublishable { part, why }));
        };
        check("type", wrong_with_word(&kind));
        check("action", wrong_with_word(&action));
        check("key", wrong_with_key(&key));
        check("object", wrong_with_object(&object));
        if wrong.is_empty() { Ok(Self { kind, action, key, object }) } else { Err(wrong) }
    }
}

/// Why something cannot be a type or an action, if it cannot.
pub(crate) fn wrong_with_word(word: &str) -> Option<String> {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let is_word = word.starts_with(|first: char| first.is_ascii_lowercase()) && word.chars().all(is_letter);
    (!is_word || word.len() > WORD).then(|| {
        let shown: String = word.chars().take(WORD).collect();
        format!("`{}` is no word of lower-case letters, digits and `_`, at most {WORD} of them", shown.escape_debug())
    })
}

fn wrong_with_key(key: &str) -> Option<String> {
    let is_key = (1..=KEY).contains(&key.chars().count()) && !key.chars().any(char::is_control);
    (!is_key).then(|| format!("a key has 1 to {KEY} letters, and no control characters"))
}

fn wrong_with_object(object: &Object) -> Option<String> {
    let object = Value::Object(object.clone());
    if contains_nul(&object) {
        return Some("a text holds a NUL character, which cannot be stored".to_owned());
    }
    let size = object.to_string().len();
    (size > OBJECT).then(|| format!("it has {size} bytes, and at most {OBJECT} fit into an event: name what is large"))
}

#[cfg(test)]
mod tests {
    use super::{Published, Unpublishable};
    use crate::model::Object;
    use serde_json::json;

    fn wrong(kind: &str, action: &str, key: &str, object: &serde_json::Value) -> Vec<&'static str> {
        let object = object.as_object().cloned().unwrap_or_else(Object::new);
        match Published::new(kind.to_owned(), action.to_owned(), key.to_owned(), object) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.into_iter().map(|Unpublishable { part, .. }| part).collect(),
        }
    }

    #[test]
    fn words_keys_and_objects_are_bounded_and_all_that_is_wrong_is_told() {
        let fits = "x".repeat(64);
        assert_eq!(wrong("builds", "done_2", "anything: ünï.*", &json!({"a": [null]})), [""; 0]);
        assert_eq!(wrong(&fits, &fits, &"ü".repeat(255), &json!({})), [""; 0]);
        let long = "x".repeat(65);
        for word in ["", "Builds", "2nd", "_x", "a.b", "a b", "a-b", "ünï", "a\0", "*", &long] {
            assert_eq!(wrong(word, word, "1", &json!({})), ["type", "action"], "{word:?}");
        }
        for key in ["", "a\nb", "a\0", &"x".repeat(256)] {
            assert_eq!(wrong("a", "b", key, &json!({})), ["key"], "{key:?}");
        }
        for object in [json!({"a": ["\0"]}), json!({"\0": 1}), json!({"a": "x".repeat(256 << 10)})] {
            assert_eq!(wrong("a", "b", "c", &object), ["object"]);
        }
    }
}
