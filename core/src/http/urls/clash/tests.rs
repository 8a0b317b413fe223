//! The search, through one `check`, and against random patterns and paths.

use super::{Clashes, Finding, MOST_WORK};
use proptest::prelude::*;
use regex::Regex;
use std::collections::BTreeMap;

/// What is found between patterns, each of an owner of its own: an example path, or the finding.
fn find(patterns: &[&str]) -> Vec<String> {
    let mut clashes = Clashes::default();
    for (owner, pattern) in patterns.iter().enumerate() {
        clashes.add(owner, pattern).expect("a pattern");
    }
    let told = clashes.find().into_iter().map(|(pair, finding)| match finding {
        Finding::Clash(path) if patterns.len() == 2 => path,
        finding => format!("{pair:?} {finding:?}"),
    });
    told.collect()
}

#[track_caller]
fn check(one: &str, other: &str, expected: &str) {
    let expected: Vec<&str> = expected.split_whitespace().collect();
    assert_eq!(find(&[one, other]), expected, "{one} and {other}");
    assert_eq!(find(&[other, one]), expected, "{other} and {one}");
}

#[test]
fn what_both_match_is_told_by_a_shortest_path() {
    check("/a", "/a", "/a");
    check(r"/x/(?P<id>\d+)", "/x/(?P<name>[a-z0-9]+)", "/x/1");
    check("/x/(?:list|new)", "/x/(?P<name>[^/]+)", "/x/new");
    check("/x/.*", "/x/y/z", "/x/y/z");
    check(".*", "/a(?:/(?P<b>b)(?:/c)?)?", "/a");
    check("(?i)/Files", "/files", "/files");
    check("/[A-F]{3}", "(?i)/[c-z]+", "/CCC");
    check("/(?P<a>[^/]+)/x", "/y/(?P<b>[^/]+)", "/y/x");
    check("/x(?:/y)?(?:/z)?", "/x/z", "/x/z");
    check("/(?:ab)+", "/(?:aba)+(?:b?)", "/abab");
}

#[test]
fn a_slash_at_the_end_is_optional() {
    check("/a/", "/a", "/a");
    check("/a/?", "/a/", "/a");
    check("/", "/", "/");
    check("/", "//", "/");
    check("/a(?P<rest>/.*)", "/a", "/a");
    check("/(?P<rest>.*)", "/", "/");
    // No request has it: the slash at its end is gone before.
    check("/a/", "/a//", "");
}

#[test]
fn what_is_disjoint_does_not_clash() {
    check("/a", "/b", "");
    check("/a", "/A", "");
    check(r"/x/(?P<id>\d+)", "/x/(?P<name>[a-z]+)", "");
    check("/x/(?P<name>[^/]+)", "/x/y/(?P<name>[^/]+)", "");
    check("/x", "/x/y", "");
    check("/x/[a-z]{2}", "/x/[a-z]{3}", "");
    check("/(?:aa)+", "/a(?:aa)+", "");
    check("/x.y", r"/x\.\.y", "");
}

#[test]
fn paths_are_compared_as_they_come_encoded() {
    check("/a%20b", "/a[^/]+b", "/a%20b");
    check("/a%2Fb", "/a/b", "");
    check("/%[0-9A-F]{2}", "/[%A-F0-9]+", "/%11");
    // A space, a question mark and a number sign are never part of a path.
    check("/a b", "/a b", "");
    check(r"/a[?#\x00]b", "/a.b", "");
}

#[test]
fn characters_of_several_bytes_are_compared_as_characters() {
    check("/ü", "/[^/]", "/ü");
    check("/ü", "/ö", "");
    check(r"/\d", "/[٠-٩]", "/٠");
    check(r"/\p{Greek}+", r"(?i)/\p{Lu}", "/Ͱ");
    check("/(?i:straße)", "/[a-zſ]+ße", "/straße");
}

#[test]
fn word_boundaries_are_told_where_they_cannot_be_followed() {
    check(r"/\bx", "/x", "/x");
    check(r"/\bx", "/y", "");
    assert_eq!(find(&[r"/x\By", r"/x\b."]), ["(0, 1) Boundary"]);
    assert_eq!(find(&[r"/x\b/?", r"/x\b(?:y|/z)", "/xy"]), ["(1, 2) Boundary"]);
}

#[test]
fn every_pair_is_told_and_an_owner_may_overlap_with_itself() {
    let told = find(&["/.*", "/a", "/[ab]", "/c"]);
    let pairs = ["(0, 1) Clash(\"/a\")", "(0, 2) Clash(\"/a\")", "(0, 3) Clash(\"/c\")", "(1, 2) Clash(\"/a\")"];
    assert_eq!(told, pairs);
    let mut clashes = Clashes::default();
    for pattern in ["/.*", "/1"] {
        clashes.add("one owner", pattern).expect("a pattern");
    }
    assert_eq!(clashes.find().len(), 0);
}

#[test]
fn many_patterns_that_are_too_much_together_are_compared_two_at_a_time() {
    let patterns: Vec<String> = (0..18).map(|n| format!("/.*k{n}k.*z{n}z")).collect();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    assert_eq!(find(&patterns), [""; 0]);
    assert_eq!(find(&[&patterns[..], &["/.*z7z"]].concat()), [r#"(7, 18) Clash("/k7kz7z")"#]);
}

#[test]
fn two_patterns_that_are_too_complex_are_told_and_not_passed_over() {
    assert_eq!(find(&["/.*a.{14}x", "/.*a.{15}y"]), ["(0, 1) TooComplex"]);
}

/// Patterns of a few characters, so that they often overlap, and often do not.
fn pattern() -> impl Strategy<Value = String> {
    let atom =
        prop::sample::select(vec!["a", "b", "/", ".", "[ab]", "[^/]", "[^a]", r"\w", r"\d", "1", "(?i:A)", r"\b"]);
    let inner = atom.prop_map(str::to_owned).prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("(?:{one}|{other})")),
            (inner, prop::sample::select(vec!["?", "*", "+", "{2}"]))
                .prop_map(|(inner, times)| format!("(?:{inner}){times}")),
        ]
    });
    inner.prop_map(|inner| format!("/{inner}"))
}

proptest! {
    #[test]
    fn what_both_match_is_found_and_what_is_found_both_match(
        one in pattern(),
        other in pattern(),
        paths in prop::collection::vec("/[ab1]?(?:/?[ab1A]){0,4}", 32),
    ) {
        let answers = |pattern: &str, path: &str| {
            let regex = Regex::new(&format!("^(?:{pattern})$")).expect("a regex");
            regex.is_match(path) || regex.is_match(&format!("{path}/"))
        };
        let both = |path: &str| answers(&one, path) && answers(&other, path);
        let found = find(&[&one, &other]);
        match found.first() {
            Some(path) if path.starts_with('/') => prop_assert!(both(path), "{path}"),
            Some(_) => prop_assert!(one.contains(r"\b") || other.contains(r"\b"), "{found:?}"),
            None => {
                let missed = paths.iter().find(|path| both(path));
                prop_assert_eq!(missed, None);
            }
        }
    }
}

/// What is measured in time elsewhere is counted here: the search must not grow with what has nothing in common.
#[test]
fn a_thousand_patterns_are_little_work() {
    let work = |pattern: &dyn Fn(usize) -> String| {
        let patterns: Vec<String> = (0..1000).map(pattern).collect();
        let mut clashes = Clashes::default();
        for (index, pattern) in patterns.iter().enumerate() {
            clashes.add(index / 20, pattern).expect("a pattern");
        }
        let work = clashes.explore(&(0..1000).collect::<Vec<_>>(), usize::MAX).expect("no limit");
        assert_eq!(clashes.found, BTreeMap::new());
        work
    };
    let ordinary = work(&|index| format!(r"/extension_{}/things{index}/(?P<id>\d+)/?", index / 20));
    assert!(ordinary < 20_000, "{ordinary}");
    let below_clusters = work(&|index| format!(r"/clusters/(?P<id>\d+)/extension_{}/things{index}/?", index / 20));
    assert!(below_clusters < MOST_WORK / 2, "{below_clusters}");
}
