//! A change of JSON, for people: one line for each place, with the old value and the new.

use super::output::{BAD, FAINT, GOOD};
use json_patch::{Patch, PatchOperation};
use serde_json::Value;

/// Longer values are cut.
const SHOWN_CHARACTERS: usize = 160;

/// The places that `patch` changes in `before`, in colours, each behind `indent`.
pub(super) fn coloured_patch(before: &Value, patch: &Patch, indent: &str) -> String {
    let mut lines = Vec::new();
    for operation in &patch.0 {
        let pointer = operation.path().as_str();
        let removed = || before.pointer(pointer).map(|old| format!("{indent}{BAD}- {pointer}  {}{BAD:#}", shown(old)));
        let added = |value: &Value| format!("{indent}{GOOD}+ {pointer}  {}{GOOD:#}", shown(value));
        match operation {
            PatchOperation::Add(add) => lines.push(added(&add.value)),
            PatchOperation::Remove(_) => lines.extend(removed()),
            PatchOperation::Replace(replace) => {
                lines.extend(removed());
                lines.push(added(&replace.value));
            }
            PatchOperation::Move(_) | PatchOperation::Copy(_) | PatchOperation::Test(_) => {
                lines.push(format!("{indent}{FAINT}{operation}{FAINT:#}"));
            }
        }
    }
    lines.join("\n")
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::coloured_patch;
    use serde_json::json;

    #[test]
    fn each_place_is_a_line_with_the_old_value_and_the_new() {
        let before = json!({"kept": 1, "gone": [1, 2], "inner": {"changed": "a"}});
        let after = json!({"kept": 1, "inner": {"changed": "b"}, "new": {"x": null}});
        let text = coloured_patch(&before, &json_patch::diff(&before, &after), "  ");
        let plain = anstream::adapter::strip_str(&text).to_string();
        let mut lines: Vec<&str> = plain.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            ["  + /inner/changed  \"b\"", "  + /new  {\"x\":null}", "  - /gone  [1,2]", "  - /inner/changed  \"a\""]
        );
    }
}
