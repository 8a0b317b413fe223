//! The order and its problems, through one `check`.

use super::{BootProblem, total_order};
use crate::{extension::Metadata, registry::BootProblems};

const fn extension(
    name: &'static str,
    priority: i32,
    after: &'static [&'static str],
    requires: &'static [&'static str],
) -> Metadata {
    let (version, description, url, krate, file, line) = ("1.4.0", "", "", "a-crate", "src/lib.rs", 9);
    Metadata { name, version, description, url, krate, file, line, priority, after, requires, overrides: &[] }
}

fn check(extensions: Vec<Metadata>, expected: &str) {
    let extensions: Vec<&'static Metadata> =
        extensions.into_iter().map(|metadata| &*Box::leak(Box::new(metadata))).collect();
    let mut problems: Vec<BootProblem> = Vec::new();
    let order = total_order(&extensions, &[], &mut problems);
    let told = if problems.is_empty() {
        order.into_iter().map(|index| extensions[index].name).collect::<Vec<_>>().join(" ")
    } else {
        let mut lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        lines.sort();
        lines.join("\n")
    };
    assert_eq!(told, expected, "{}", BootProblems(problems));
}

#[test]
fn names_decide_between_equals_and_priority_before_names() {
    check(vec![extension("b", 0, &[], &[]), extension("c", -1, &[], &[]), extension("a", 0, &[], &[])], "c a b");
}

#[test]
fn after_and_requires_come_before_priority() {
    check(
        vec![
            extension("a", -9, &["c"], &[]),
            extension("b", 0, &[], &["a >= 1.2, <2"]),
            extension("c", 5, &[], &[]),
            extension("d", 9, &[], &[]),
        ],
        "c a b d",
    );
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    check(
        vec![
            extension("a", 0, &["b"], &[]),
            extension("b", 0, &["a"], &[]),
            extension("c", 0, &["nowhere"], &["a >= 2"]),
            extension("c", 0, &[], &[]),
        ],
        "RG0101: two extensions are named `c`: a-crate in src/lib.rs:9 and a-crate in src/lib.rs:9; rename one of them\n\
         RG0102: `c` (a-crate in src/lib.rs:9) has `after = [\"nowhere\"]`, and no extension of that name is in this build; \
         add its crate to [dependencies], or correct the name\n\
         RG0103: extensions wait for each other: a after b after a (a-crate in src/lib.rs:9, a-crate in src/lib.rs:9); \
         remove one of the `after` or `requires`\n\
         RG0104: `c` (a-crate in src/lib.rs:9) requires `a >= 2`, and this build has 1.4.0; change one of the versions",
    );
}

#[test]
fn an_extension_cannot_wait_for_itself() {
    check(
        vec![extension("a", 0, &["a"], &[])],
        "RG0103: extensions wait for each other: a after a (a-crate in src/lib.rs:9); remove one of the `after` or `requires`",
    );
}
