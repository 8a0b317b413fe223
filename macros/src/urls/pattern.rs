//! The rules of a URL pattern: a regular expression that matches whole paths, and whose groups have names.
//!
//! Only the syntax tree is looked at. Compiling a pattern here as well would cost the engine of `regex` in every build, and
//! find nothing but patterns that are too large, which the framework refuses when it builds its table.

use regex_syntax::ast::{self, AssertionKind, Ast, GroupKind, RepetitionKind, RepetitionRange, Span};
use regex_syntax::hir::translate::Translator;

/// What is wrong with `pattern`, one message for each mistake.
pub(super) fn mistakes(pattern: &str) -> Vec<String> {
    let tree = match ast::parse::Parser::new().parse(pattern) {
        Ok(tree) => tree,
        Err(why) => return vec![invalid(pattern, why.kind(), why.span())],
    };
    if let Err(why) = Translator::new().translate(pattern, &tree) {
        return vec![invalid(pattern, why.kind(), why.span())];
    }

    let mut rules = Rules { pattern, anchors: Vec::new(), unnamed: Vec::new() };
    let Ok(()) = ast::visit(&tree, &mut rules);
    let Rules { anchors, unnamed, .. } = rules;
    let mut mistakes = Vec::new();
    if !begins_with_slash(&tree) {
        mistakes.push(format!("the pattern `{pattern}` does not begin with `/`, as every path does"));
    }
    if !anchors.is_empty() {
        let anchors = anchors.join("` and `");
        mistakes.push(format!("leave out `{anchors}`: a pattern matches the whole path anyway"));
    }
    mistakes.extend(unnamed.into_iter().map(|group| {
        let inner = &group[1..];
        format!("the group `{group}` has no name: write `(?P<id>{inner}` to extract it, or `(?:{inner}`")
    }));
    mistakes
}

/// The message of the regex parser in one line; its own has several, and a caret that would point into the void.
fn invalid(pattern: &str, why: impl std::fmt::Display, at: &Span) -> String {
    let character = pattern[..at.start.offset].chars().count() + 1;
    let excerpt = &pattern[at.start.offset..at.end.offset];
    let excerpt = if excerpt.is_empty() { String::new() } else { format!(", `{excerpt}`") };
    format!("`{pattern}` is not a regular expression: {why} (at character {character}{excerpt})")
}

/// What is against the rules though it is a regular expression.
struct Rules<'p> {
    pattern: &'p str,
    anchors: Vec<&'p str>,
    unnamed: Vec<&'p str>,
}

impl<'p> Rules<'p> {
    fn text(&self, span: &Span) -> &'p str {
        &self.pattern[span.start.offset..span.end.offset]
    }
}

impl ast::Visitor for &mut Rules<'_> {
    type Output = ();
    type Err = std::convert::Infallible;

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::Assertion(assertion) if is_anchor(&assertion.kind) => self.anchors.push(self.text(&assertion.span)),
            Ast::Group(group) if matches!(group.kind, GroupKind::CaptureIndex(_)) => {
                self.unnamed.push(self.text(&group.span));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }
}

fn is_anchor(kind: &AssertionKind) -> bool {
    use AssertionKind::{EndLine, EndText, StartLine, StartText};
    matches!(kind, StartLine | EndLine | StartText | EndText)
}

/// Whether whatever matches begins with `/`. On the tree, since of `/a|b` only the first half does.
fn begins_with_slash(ast: &Ast) -> bool {
    match ast {
        Ast::Literal(literal) => literal.c == '/',
        Ast::Group(group) => begins_with_slash(&group.ast),
        Ast::Alternation(either) => either.asts.iter().all(begins_with_slash),
        Ast::Repetition(repetition) => repeats(&repetition.op.kind) && begins_with_slash(&repetition.ast),
        Ast::Concat(all) => all.asts.iter().find(|ast| !is_empty(ast)).is_some_and(begins_with_slash),
        _ => false,
    }
}

/// Whether it is there at least once.
fn repeats(kind: &RepetitionKind) -> bool {
    match kind {
        RepetitionKind::OneOrMore => true,
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => false,
        RepetitionKind::Range(RepetitionRange::Exactly(least) | RepetitionRange::AtLeast(least)) => *least > 0,
        RepetitionKind::Range(RepetitionRange::Bounded(least, _)) => *least > 0,
    }
}

/// Whether it takes no character: flags and anchors, about which there is a message of their own.
fn is_empty(ast: &Ast) -> bool {
    matches!(ast, Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_))
}

#[cfg(test)]
mod tests {
    use super::mistakes;

    #[test]
    fn patterns_may_be_any_expression_that_begins_with_a_slash() {
        let patterns = [
            "/",
            r"/x/(?P<id>\d+)/?",
            "/a|/b",
            "(?i)/a",
            "(?:/a|/b)/(?<c>.*)",
            "/+x",
            "/{1,2}",
            r"/\bx",
            "(?x) /a # b",
        ];
        for pattern in patterns {
            assert_eq!(mistakes(pattern), [""; 0], "{pattern}");
        }
        for pattern in ["", "x", "/a|b", "/?a", "/*", "/{0,1}", ".", "[/]a", "(?:/a|b)", "()/", r"\d"] {
            assert!(mistakes(pattern)[0].contains("does not begin with `/`"), "{pattern}");
        }
    }

    #[test]
    fn an_invalid_expression_is_told_with_the_place_by_character() {
        for (pattern, expected) in [
            ("/ü/[a", "unclosed character class (at character 4, `[`)"),
            (r"/(?P<a>x)(?P<a>y)", "duplicate capture group name (at character 14, `a`)"),
            (r"/\p{Nope}", "Unicode property not found (at character 2, `\\p{Nope}`)"),
            ("/a{2,1}", "invalid repetition count range, the start must be <= the end (at character 3, `{2,1}`)"),
        ] {
            let found = mistakes(pattern);
            assert!(found.len() == 1 && found[0].ends_with(expected), "{found:?}");
        }
    }

    #[test]
    fn anchors_are_needless_and_groups_have_names() {
        assert_eq!(mistakes(r"\A/x\z"), [r"leave out `\A` and `\z`: a pattern matches the whole path anyway"]);
        assert_eq!(
            mistakes("/((a))"),
            [
                "the group `((a))` has no name: write `(?P<id>(a))` to extract it, or `(?:(a))`",
                "the group `(a)` has no name: write `(?P<id>a)` to extract it, or `(?:a)`",
            ]
        );
    }
}
