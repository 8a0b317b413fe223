//! What an overlay may change.
//!
//! A rule is a JSON Pointer, in which `*` stands for any one key. It allows what is at that place, and everything below.

use rivetgun::prelude::*;

/// A rule: its keys, from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule(Vec<String>);

impl Rule {
    /// Reads a rule; `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let keys = text.strip_prefix('/')?.split('/');
        keys.map(unescaped).collect::<Option<Vec<_>>>().map(Self)
    }
}

/// The places of `overlay` that no rule allows, as JSON Pointers: of an object in which nothing is allowed, the object.
///
/// What says which node or cluster the data are of is never allowed. Everything else is, where there are no rules.
pub(crate) fn forbidden(overlay: &Object, rules: &[Rule]) -> Vec<String> {
    let (identity, rest): (Vec<_>, Vec<_>) =
        overlay.iter().partition(|(key, _)| *key == "cluster" || NodeData::KEYS.contains(&key.as_str()));
    let mut found: Vec<String> = identity.into_iter().map(|(key, _)| format!("/{key}")).collect();
    if !rules.is_empty() {
        let rules: Vec<&[String]> = rules.iter().map(|Rule(keys)| keys.as_slice()).collect();
        outside(&rules, rest, "", &mut found);
    }
    found
}

fn outside<'a>(
    rules: &[&[String]],
    entries: impl IntoIterator<Item = (&'a String, &'a Value)>,
    place: &str,
    found: &mut Vec<String>,
) {
    for (key, value) in entries {
        let place = format!("{place}/{}", escaped(key));
        let matching =
            rules.iter().filter_map(|rule| rule.split_first()).filter(|(first, _)| *first == "*" || *first == key);
        let below: Vec<&[String]> = matching.map(|(_, rest)| rest).collect();
        match value {
            _ if below.iter().any(|rest| rest.is_empty()) => {}
            Value::Object(object) if !object.is_empty() && !below.is_empty() => outside(&below, object, &place, found),
            _ => found.push(place),
        }
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A key of a pointer as it is; `None` where a `~` means nothing.
fn unescaped(key: &str) -> Option<String> {
    let plain = key.replace("~1", "/").replace("~0", "~");
    (escaped(&plain) == key).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::{Rule, forbidden};
    use rivetgun::prelude::*;

    #[track_caller]
    fn check(rules: &[&str], overlay: Value, expected: &[&str]) {
        let rules: Vec<Rule> = rules.iter().map(|rule| Rule::parse(rule).expect("a rule")).collect();
        let Value::Object(overlay) = overlay else { panic!("an object is needed") };
        assert_eq!(forbidden(&overlay, &rules), expected);
    }

    #[test]
    fn a_rule_allows_its_place_and_what_is_below() {
        let overlay = json!({"ntp": {"servers": ["a"]}, "storage": {"pools": {"a": {"size": 1}}}});
        check(&["/ntp", "/storage/pools/a/size"], overlay.clone(), &[]);
        check(&["/ntp/servers"], overlay.clone(), &["/storage"]);
        check(&["/ntp/other", "/storage/pools/b"], overlay, &["/ntp/servers", "/storage/pools/a"]);
    }

    #[test]
    fn a_star_is_any_one_key() {
        let overlay = json!({"pools": {"a": {"size": 1}, "b": {"kind": 2}}});
        check(&["/pools/*/size"], overlay.clone(), &["/pools/b/kind"]);
        check(&["/*/*"], overlay.clone(), &[]);
        check(&["/*"], overlay, &[]);
    }

    #[test]
    fn what_stands_above_a_rule_cannot_be_replaced() {
        check(&["/ntp/servers"], json!({"ntp": "none"}), &["/ntp"]);
        check(&["/ntp/servers"], json!({"ntp": {}}), &["/ntp"]);
    }

    #[test]
    fn without_rules_all_is_allowed_but_what_says_which_node_it_is() {
        let overlay = json!({"ntp": 1, "roles": ["controller"], "cluster": {"id": 7}, "a": {"uid": 1}});
        check(&[], overlay.clone(), &["/roles", "/cluster"]);
        check(&["/*"], overlay, &["/roles", "/cluster"]);
    }

    #[test]
    fn keys_are_written_as_a_json_pointer_has_them() {
        check(&["/a~1b/c~0d"], json!({"a/b": {"c~d": 1, "~1": 2}}), &["/a~1b/~01"]);
        for wrong in ["", "a", "ntp/servers", "/a~", "/a~2"] {
            assert_eq!(Rule::parse(wrong), None, "{wrong}");
        }
    }
}
