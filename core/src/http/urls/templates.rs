//! A pattern as people and OpenAPI write it: `/logger/(?P<id>\d+)/?` is `/logger/{id}`.
//!
//! A template knows neither options nor choices, so one pattern may be several of them. A part of a pattern that is
//! neither a named group nor a few texts (`.*`, `[a-z]+`) becomes a parameter as well, which is called `part1` and so on:
//! in OpenAPI, whatever varies is a parameter. Flags such as `(?i)` are not told.

use regex_syntax::{
    ast::{self, Ast, GroupKind, RepetitionKind, RepetitionRange, Span},
    hir::{Class, HirKind},
};

/// Of a pattern with more templates, some are joined into one.
const MOST_TEMPLATES: usize = 16;
/// A class of more characters is a parameter.
const MOST_CHARACTERS: u32 = 4;
/// What is repeated more often is a parameter.
const MOST_REPETITIONS: u32 = 4;

/// Paths that differ in their parameters only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template {
    /// `/logger/{id}`, without a slash at the end.
    pub(crate) path: String,
    /// The parameters in the order of the path.
    pub(crate) parameters: Vec<Parameter>,
}

/// A part of a path that varies. It is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// The regular expression that it matches.
    pub(crate) pattern: String,
}

/// The templates of a pattern; those without an optional part stand before those with it.
pub(crate) fn templates(pattern: &str) -> Vec<Template> {
    let Ok(tree) = ast::parse::Parser::new().parse(pattern) else {
        return vec![Template { path: pattern.to_owned(), parameters: Vec::new() }];
    };
    let mut templates = Vec::new();
    for template in expand(pattern, &tree) {
        let template = finished(pattern, template);
        if !templates.contains(&template) {
            templates.push(template);
        }
    }
    templates
}

/// What an unfinished template has for a parameter without a name. No text has it: braces are encoded.
const UNNAMED: &str = "{}";

/// Names what has no name, and drops the slash at the end.
fn finished(pattern: &str, mut template: Template) -> Template {
    let mut names = (1..).map(|number| format!("part{number}")).filter(|name| !pattern.contains(&format!("<{name}>")));
    for parameter in template.parameters.iter_mut().filter(|parameter| parameter.name.is_empty()) {
        parameter.name.extend(names.next());
        template.path = template.path.replacen(UNNAMED, &format!("{{{}}}", parameter.name), 1);
    }
    template.path.truncate(template.path.trim_end_matches('/').len().max(1));
    template
}

fn expand(pattern: &str, tree: &Ast) -> Vec<Template> {
    match tree {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => vec![Template::default()],
        Ast::Literal(literal) => vec![Template::text(literal.c)],
        Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_) => {
            characters(source(pattern, tree.span()))
                .map(|characters| characters.into_iter().map(Template::text).collect())
                .unwrap_or_else(|| parameter(pattern, "", tree.span()))
        }
        Ast::Group(group) => match &group.kind {
            GroupKind::CaptureName { name, .. } => parameter(pattern, &name.name, group.ast.span()),
            GroupKind::CaptureIndex(_) | GroupKind::NonCapturing(_) => expand(pattern, &group.ast),
        },
        Ast::Repetition(repetition) => repeated(pattern, repetition),
        Ast::Alternation(alternation) => {
            let either = alternation.asts.iter().flat_map(|tree| expand(pattern, tree)).collect();
            at_most(MOST_TEMPLATES, pattern, tree, either)
        }
        Ast::Concat(concat) => concat.asts.iter().fold(vec![Template::default()], |before, tree| {
            let after = at_most(MOST_TEMPLATES / before.len(), pattern, tree, expand(pattern, tree));
            product(&before, &after)
        }),
    }
}

/// A few texts are that many templates; anything else is there once, and without it if it may be absent.
fn repeated(pattern: &str, repetition: &ast::Repetition) -> Vec<Template> {
    let (least, most) = bounds(&repetition.op.kind);
    let once = expand(pattern, &repetition.ast);
    let (times, once) = match most {
        Some(most) if most <= MOST_REPETITIONS && (most <= 1 || once.iter().all(Template::is_text)) => {
            (least..=most, once)
        }
        _ if once.iter().any(Template::has_name) => (least.min(1)..=1, once),
        _ => (least.min(1)..=1, vec![Template::unnamed(source(pattern, &repetition.span))]),
    };
    let mut power = vec![Template::default()];
    let mut templates = Vec::new();
    for time in 0..=*times.end() {
        if times.contains(&time) {
            templates.extend_from_slice(&power);
        }
        power = product(&power, &once);
        if power.len() > MOST_TEMPLATES {
            return vec![Template::unnamed(source(pattern, &repetition.span))];
        }
    }
    templates
}

fn bounds(kind: &RepetitionKind) -> (u32, Option<u32>) {
    match *kind {
        RepetitionKind::ZeroOrOne => (0, Some(1)),
        RepetitionKind::ZeroOrMore => (0, None),
        RepetitionKind::OneOrMore => (1, None),
        RepetitionKind::Range(RepetitionRange::Exactly(times)) => (times, Some(times)),
        RepetitionKind::Range(RepetitionRange::AtLeast(least)) => (least, None),
        RepetitionKind::Range(RepetitionRange::Bounded(least, most)) => (least, Some(most)),
    }
}

/// Too many templates become one: a parameter, or, where that would hide a named group, the one with most groups.
fn at_most(limit: usize, pattern: &str, tree: &Ast, templates: Vec<Template>) -> Vec<Template> {
    if templates.len() <= limit.max(1) {
        return templates;
    }
    let fullest = templates.into_iter().rev().max_by_key(|template| template.parameters.len());
    match fullest.filter(Template::has_name) {
        Some(fullest) => vec![fullest],
        None => vec![Template::unnamed(source(pattern, tree.span()))],
    }
}

fn product(before: &[Template], after: &[Template]) -> Vec<Template> {
    let pairs = before.iter().flat_map(|before| after.iter().map(move |after| (before, after)));
    pairs
        .map(|(before, after)| Template {
            path: [before.path.as_str(), &after.path].concat(),
            parameters: [before.parameters.as_slice(), &after.parameters].concat(),
        })
        .collect()
}

/// A parameter; a second template without it where it may be empty, since a parameter of a path never is.
fn parameter(pattern: &str, name: &str, inner: &Span) -> Vec<Template> {
    let inner = source(pattern, inner);
    let may_be_empty = regex_syntax::parse(inner).is_ok_and(|hir| hir.properties().minimum_len() == Some(0));
    let absent = may_be_empty.then(Template::default);
    absent.into_iter().chain([Template::parameter(name, inner)]).collect()
}

/// The characters of a class, where they are few.
fn characters(class: &str) -> Option<Vec<char>> {
    let hir = regex_syntax::parse(class).ok()?;
    match hir.kind() {
        HirKind::Literal(literal) => Some(std::str::from_utf8(&literal.0).ok()?.chars().collect()),
        HirKind::Class(Class::Unicode(class)) => {
            let count: u32 = class.iter().map(|range| u32::from(range.end()) - u32::from(range.start()) + 1).sum();
            let characters = || class.iter().flat_map(|range| range.start()..=range.end()).collect();
            (count <= MOST_CHARACTERS).then(characters)
        }
        _ => None,
    }
}

fn source<'p>(pattern: &'p str, span: &Span) -> &'p str {
    &pattern[span.start.offset..span.end.offset]
}

impl Template {
    /// A path of it, where each parameter has a value.
    pub(crate) fn filled(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        self.parameters.iter().try_fold(self.path.clone(), |path, parameter| {
            Some(path.replace(&format!("{{{}}}", parameter.name), &value(&parameter.name)?))
        })
    }

    fn text(character: char) -> Self {
        let path = match character {
            '{' => "%7B".to_owned(),
            '}' => "%7D".to_owned(),
            other => other.to_string(),
        };
        Self { path, parameters: Vec::new() }
    }

    fn parameter(name: &str, pattern: &str) -> Self {
        let parameter = Parameter { name: name.to_owned(), pattern: pattern.to_owned() };
        Self { path: format!("{{{name}}}"), parameters: vec![parameter] }
    }

    fn unnamed(pattern: &str) -> Self {
        Self::parameter("", pattern)
    }

    fn is_text(&self) -> bool {
        self.parameters.is_empty()
    }

    fn has_name(&self) -> bool {
        self.parameters.iter().any(|parameter| !parameter.name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::templates;

    #[track_caller]
    fn check(pattern: &str, expected: &[&str]) {
        let templates = templates(pattern);
        let paths: Vec<&str> = templates.iter().map(|template| template.path.as_str()).collect();
        assert_eq!(paths, expected, "{pattern}");
    }

    #[test]
    fn groups_are_parameters_and_the_slash_at_the_end_is_dropped() {
        check(r"/logger/(?P<node_id>\d+)/?", &["/logger/{node_id}"]);
        check(r"/pair/(?<second>[a-z]+)-(?P<first>[a-z]+)/", &["/pair/{second}-{first}"]);
        check(r"(?i)/a\.b/(?x: c d )", &["/a.b/cd"]);
        check("/", &["/"]);
        let found = templates(r"/x/(?P<id>\d+)/(?P<file>(?:a|b).*)");
        let parameters: Vec<_> = found[0].parameters.iter().map(|found| (&*found.name, &*found.pattern)).collect();
        assert_eq!(parameters, [("id", r"\d+"), ("file", "(?:a|b).*")]);
    }

    #[test]
    fn options_and_choices_are_templates_of_their_own() {
        check(r"/maybe(?:/(?P<number>\d+))?/?", &["/maybe", "/maybe/{number}"]);
        check("/(?:a|b)/(?:c|/d|)", &["/a/c", "/a//d", "/a", "/b/c", "/b//d", "/b"]);
        check("/a|/b/?", &["/a", "/b"]);
        check("/v[12]/x{2,3}[.]", &["/v1/xx.", "/v1/xxx.", "/v2/xx.", "/v2/xxx."]);
        check("/files/(?P<path>.*)", &["/files", "/files/{path}"]);
        check("/list(?:/(?P<last>[^/]+))+", &["/list/{last}"]);
        check("/list(?:/(?P<last>[^/]+))*", &["/list", "/list/{last}"]);
    }

    #[test]
    fn what_is_not_named_and_not_a_few_texts_is_a_numbered_parameter() {
        check("/files/.*", &["/files", "/files/{part1}"]);
        check(r"/\d{4}/\w/[a-z]+", &["/{part1}/{part2}/{part3}"]);
        check(r"/(?P<part1>\d)/\d/.", &["/{part1}/{part2}/{part3}"]);
        check("/a+b", &["/{part1}b"]);
        assert_eq!(templates("/a+b")[0].parameters[0].pattern, "a+");
        check(r"/(?:\d+-)?x", &["/x", "/{part1}-x"]);
        check(r"/\{a}", &["/%7Ba%7D"]);
    }

    #[test]
    fn too_many_templates_are_joined_and_no_group_is_lost() {
        check(
            "/[ab][ab][ab][ab][ab]",
            &[
                "/aaaa{part1}",
                "/aaab{part1}",
                "/aaba{part1}",
                "/aabb{part1}",
                "/abaa{part1}",
                "/abab{part1}",
                "/abba{part1}",
                "/abbb{part1}",
                "/baaa{part1}",
                "/baab{part1}",
                "/baba{part1}",
                "/babb{part1}",
                "/bbaa{part1}",
                "/bbab{part1}",
                "/bbba{part1}",
                "/bbbb{part1}",
            ],
        );
        check("/(?:[ab]{4}){4}/(?P<id>x)?", &["/{part1}", "/{part1}/{id}"]);
        let many = format!("/x(?:{})/", (0..20).map(|n| format!("n{n}")).collect::<Vec<_>>().join("|"));
        check(&many, &["/x{part1}"]);
        let many = format!("/x(?:{})/", (0..20).map(|n| format!("n{n}|(?P<g{n}>y)")).collect::<Vec<_>>().join("|"));
        check(&many, &["/x{g0}"]);
    }

    #[test]
    fn a_template_is_filled_where_each_parameter_has_a_value() {
        let value = |name: &str| (name == "id").then(|| "7".to_owned());
        let filled = |pattern: &str| templates(pattern)[0].filled(value);
        assert_eq!(filled(r"/a/(?P<id>\d+)/x{2}").as_deref(), Some("/a/7/xx"));
        assert_eq!(filled(r"/a/(?P<id>\d+)/(?P<other>\d+)"), None);
        assert_eq!(filled(r"/a/\d+"), None);
    }

    #[test]
    fn what_is_no_pattern_is_its_own_template() {
        check("/a(", &["/a("]);
    }
}
