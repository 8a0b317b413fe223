//! Its URLs, called with what nobody should send: each answer is one that was meant, and an error is a problem.

use super::{Subject, check};
use crate::{
    http::{BASE, templates},
    testkit::Answer,
};
use axum::{
    body::Body,
    extract::Request,
    http::{Method, header},
};
use regex::Regex;
use std::collections::BTreeMap;

check!(URLS = "its URLs answer garbage with a 4xx problem", called);

/// What may stand in a path in place of a name or a number.
const PARTS: [&str; 9] = ["0", "7", "99999999999999999999", "a", "zz", "a-b", "A_b.c", "%C3%A9", "..."];
const QUERIES: [&str; 3] = ["", "?nonsense=1&limit=x", "?%FF=%00&offset=-1"];
const BODIES: [(&str, &[u8]); 7] = [
    ("application/json", b""),
    ("application/json", b"}{"),
    ("application/json", b"null"),
    ("application/json", b"[[\"x\"]]"),
    ("application/json", b"{\"a\": {\"b\": [1.5, null]}, \"id\": -1}"),
    ("application/json", b"\"\xff\xfe\""),
    ("text/plain", b"nonsense"),
];

async fn called(subject: &Subject) {
    let mut found = BTreeMap::new();
    for path in paths(subject) {
        for query in QUERIES {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                for (content_type, body) in BODIES {
                    let uri = format!("{path}{query}");
                    let sent = Request::builder()
                        .method(method.clone())
                        .uri(format!("{BASE}{uri}"))
                        .header(header::CONTENT_TYPE, content_type)
                        .body(Body::from(body))
                        .unwrap_or_else(|error| panic!("{uri} is no URI: {error}"));
                    if let Some(finding) = look_at(&subject.server.send(sent).await, body) {
                        found.entry((path.clone(), method.to_string())).or_insert_with(Vec::new).push(finding);
                    }
                }
            }
        }
    }
    for findings in found.into_values() {
        let more = match findings.len() - 1 {
            0 => String::new(),
            more => format!(", and so were {more} more"),
        };
        subject.find(format!("{}{more}", findings[0]));
    }
}

/// What is wrong with an answer. That something else is out of reach (503) may be told.
fn look_at(answer: &Answer, body: &[u8]) -> Option<String> {
    let (status, body) = (answer.status(), String::from_utf8_lossy(body));
    if status >= 500 && status != 503 {
        return Some(format!("{} with the body `{body}` was answered with {status}", answer.request()));
    }
    let is_problem = answer.is_verbatim || answer.header("content-type") == Some("application/problem+json");
    (status >= 400 && !is_problem)
        .then(|| format!("{} was answered with {status}, and not as a problem", answer.request()))
}

/// Paths that the patterns match, with all kinds of things in place of their groups.
fn paths(subject: &Subject) -> Vec<String> {
    let mut paths = Vec::new();
    for pattern in subject.server.patterns_of(subject.metadata.name) {
        for template in templates(pattern) {
            let fitting: Vec<Vec<&str>> = template
                .parameters
                .iter()
                .map(|parameter| match Regex::new(&format!("^(?:{})$", parameter.pattern)) {
                    Ok(regex) => PARTS.into_iter().filter(|part| regex.is_match(part)).collect(),
                    Err(_) => Vec::new(),
                })
                .collect();
            let most = fitting.iter().map(Vec::len).max().unwrap_or(1);
            for index in 0..most {
                let parts = template.parameters.iter().zip(&fitting);
                paths.push(parts.fold(template.path.clone(), |path, (parameter, fitting)| {
                    let part = fitting.get(index % fitting.len().max(1)).copied().unwrap_or("x");
                    path.replace(&format!("{{{}}}", parameter.name), part)
                }));
            }
        }
    }
    paths.sort();
    paths.dedup();
    paths
}
