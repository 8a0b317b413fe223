//! One pattern with the little router behind it, which has a route for each set of groups that can be there together.

use super::{restore_uri, templates};
use crate::{
    extension::UrlEntry,
    http::BASE,
    registry::{Loaded, WrittenUrl},
};
use axum::Router;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use std::sync::Arc;

/// Groups that may be absent are a route for each combination.
const MOST_OPTIONAL_GROUPS: usize = 4;

pub(super) struct Url {
    pub(super) owner: Arc<Loaded>,
    pub(super) written: WrittenUrl,
    pub(super) pattern: &'static str,
    /// The pattern as monitoring calls it: of its templates, the one with the most parameters.
    pub(super) route: Arc<str>,
    pub(super) regex: Regex,
    pub(super) handlers: Router,
}

impl Url {
    pub(super) fn of(owner: &Arc<Loaded>, entry: &UrlEntry) -> Result<Self, String> {
        let regex =
            Regex::new(&whole(entry.pattern)).map_err(|error| format!("is not a regular expression: {error}"))?;
        let groups: Vec<&str> = regex.capture_names().flatten().collect();
        let optional = optional_groups(&regex);
        if optional.len() > MOST_OPTIONAL_GROUPS {
            return Err(format!("has more than {MOST_OPTIONAL_GROUPS} groups that may be absent"));
        }
        let methods = entry.methods.router().layer(axum::middleware::map_request(restore_uri));
        let mut handlers = Router::new();
        for absent in subsets(&optional) {
            let present: Vec<bool> = groups.iter().map(|group| !absent.contains(group)).collect();
            let segments = groups.iter().zip(&present).filter(|(_, present)| **present);
            let route: String = segments.map(|(group, _)| format!("/{{{group}}}")).collect();
            handlers = handlers.route(&format!("/{}{route}", mask(&present)), methods.clone());
        }
        let written = WrittenUrl::of(owner.metadata.name, entry);
        let route = templates(entry.pattern).into_iter().rev().max_by_key(|template| template.parameters.len());
        let route = route.map_or_else(|| entry.pattern.to_owned(), |template| format!("{BASE}{}", template.path));
        let owner = Arc::clone(owner);
        Ok(Self { owner, written, pattern: entry.pattern, route: route.into(), regex, handlers })
    }

    /// The path under which the little router has the handler for the groups of `path`.
    pub(super) fn inner_path(&self, path: &str) -> Option<String> {
        let captures = self.regex.captures(path)?;
        let groups: Vec<Option<&str>> = self
            .regex
            .capture_names()
            .flatten()
            // An empty segment is no segment to axum, and an empty group says as little as an absent one.
            .map(|group| captures.name(group).map(|matched| matched.as_str()).filter(|text| !text.is_empty()))
            .collect();
        let present: Vec<bool> = groups.iter().map(Option::is_some).collect();
        let mut inner = format!("/{}", mask(&present));
        for text in groups.into_iter().flatten() {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
            inner.push('/');
            inner.extend(utf8_percent_encode(&decoded, NON_ALPHANUMERIC));
        }
        Some(inner)
    }
}

/// The pattern of whole paths.
pub(super) fn whole(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

/// One digit a group, in the order of the pattern: whether it is there.
fn mask(present: &[bool]) -> String {
    std::iter::once('g').chain(present.iter().map(|present| if *present { '1' } else { '0' })).collect()
}

/// The groups that a path can match without, or with an empty text.
fn optional_groups(regex: &Regex) -> Vec<&str> {
    use regex_syntax::hir::{Capture, Hir, HirKind};
    fn walk(hir: &Hir, inside_optional: bool, optional: &mut Vec<String>) {
        match hir.kind() {
            HirKind::Capture(Capture { name, sub, .. }) => {
                let may_be_empty = sub.properties().minimum_len().is_none_or(|length| length == 0);
                if let (true, Some(name)) = (inside_optional || may_be_empty, name) {
                    optional.push(name.to_string());
                }
                walk(sub, inside_optional, optional);
            }
            HirKind::Repetition(repetition) => walk(&repetition.sub, inside_optional || repetition.min == 0, optional),
            HirKind::Concat(parts) => parts.iter().for_each(|part| walk(part, inside_optional, optional)),
            HirKind::Alternation(parts) => parts.iter().for_each(|part| walk(part, true, optional)),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        }
    }
    let mut optional = Vec::new();
    if let Ok(hir) = regex_syntax::parse(regex.as_str()) {
        walk(&hir, false, &mut optional);
    }
    regex.capture_names().flatten().filter(|name| optional.iter().any(|other| other == name)).collect()
}

fn subsets<'a>(items: &[&'a str]) -> Vec<Vec<&'a str>> {
    items.iter().fold(vec![Vec::new()], |subsets, item| {
        let with_item = subsets.iter().map(|subset| [subset.as_slice(), &[*item]].concat());
        subsets.iter().cloned().chain(with_item).collect()
    })
}
