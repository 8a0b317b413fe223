//! A path that a pattern matches, made of the pattern itself.

use regex_syntax::hir::{Capture, Class, Hir, HirKind};

/// A path that `pattern` matches, with the values of `group` in its named groups; `None` where a group has no value, or
/// where no such path comes out.
pub(super) fn of_pattern(pattern: &str, group: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut path = String::new();
    write(&regex_syntax::parse(pattern).ok()?, &group, &mut path)?;
    let whole = regex::Regex::new(&format!("^(?:{pattern})$")).ok()?;
    whole.is_match(&path).then_some(path)
}

/// Writes the shortest text that `hir` matches: nothing for what may be absent, the first of what may be several.
fn write(hir: &Hir, group: &impl Fn(&str) -> Option<String>, path: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => path.push_str(str::from_utf8(&literal.0).ok()?),
        HirKind::Class(Class::Unicode(class)) => path.push(class.ranges().first()?.start()),
        HirKind::Class(Class::Bytes(class)) => path.push(char::from(class.ranges().first()?.start())),
        HirKind::Repetition(repetition) => {
            for _ in 0..repetition.min {
                write(&repetition.sub, group, path)?;
            }
        }
        HirKind::Capture(Capture { name: Some(name), .. }) => path.push_str(&group(name)?),
        HirKind::Capture(Capture { sub, .. }) => write(sub, group, path)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, group, path))?,
        HirKind::Alternation(parts) => write(parts.first()?, group, path)?,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::of_pattern;

    #[test]
    fn a_path_is_made_where_every_group_has_a_value_that_fits() {
        let group = |name: &str| (name == "id").then(|| "7".to_owned());
        for (pattern, expected) in [
            (r"/a/(?P<id>\d+)/?", Some("/a/7")),
            (r"/a/(?:b|c)/(?P<id>\d+)/x{2}", Some("/a/b/7/xx")),
            (r"/a/(?P<id>[a-z]+)", None),
            (r"/a/(?P<other>\d+)", None),
        ] {
            assert_eq!(of_pattern(pattern, group).as_deref(), expected, "{pattern}");
        }
    }
}
