//! Who has which paths: each extension those of its patterns, the core those of its routes.

use super::{
    clash::{Clashes, Finding},
    prefix,
    url::Url,
};
use crate::registry::{BootProblem, WrittenUrl};

/// Every two patterns of different owners that match one path, or that cannot be compared.
pub(super) fn clashes(urls: &[Url], core_templates: &[String]) -> Vec<BootProblem> {
    let core =
        core_templates.iter().map(|template| (pattern_of(template), WrittenUrl::Core { template: template.clone() }));
    let extensions = urls.iter().map(|url| (url.pattern.to_owned(), url.written.clone()));
    let all: Vec<(String, WrittenUrl)> = extensions.chain(core).collect();
    let owned: Vec<_> = all.iter().map(|(pattern, written)| (written.extension(), pattern.as_str())).collect();

    let mut problems = Vec::new();
    let mut compared = Vec::new();
    let mut clashes = Clashes::default();
    for index in prefix::meeting(&owned) {
        let (owner, pattern) = owned[index];
        let written = &all[index].1;
        match clashes.add(owner, pattern) {
            Ok(()) => compared.push(written),
            Err(error) => {
                let detail = format!("cannot be compared with others: {error}");
                problems.push(BootProblem::Pattern { url: written.clone(), detail });
            }
        }
    }
    problems.extend(clashes.find().into_iter().map(|((one, other), finding)| {
        let (one, other) = (compared[one].clone(), compared[other].clone());
        match finding {
            Finding::Clash(path) => BootProblem::Clash { one, other, path },
            Finding::Boundary => {
                BootProblem::Uncompared { one, other, why: "write them without word boundaries (`\\b`)" }
            }
            Finding::TooComplex => BootProblem::Uncompared {
                one,
                other,
                why: "they are too complex to be compared; use narrower classes (`[^/]+` instead of `.*`), and fewer \
                      repetitions",
            },
        }
    }));
    problems
}

/// What a route of axum's matches, as a regular expression.
fn pattern_of(template: &str) -> String {
    let mut pattern = String::new();
    let mut rest = template;
    while let Some((text, parameter)) = rest.split_once('{') {
        let (name, after) = parameter.split_once('}').unwrap_or((parameter, ""));
        pattern.push_str(&regex::escape(text));
        pattern.push_str(if name.starts_with('*') { ".+" } else { "[^/]+" });
        rest = after;
    }
    pattern + &regex::escape(rest)
}
