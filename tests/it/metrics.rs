//! The page of metrics of a server, read as strictly as the text format of Prometheus is written down.

use axum::{body::Body, http::Request};
use rivetgun::testkit::TestServer;
use std::collections::{BTreeMap, BTreeSet};

/// A page that was read: the number of each metric, by its labels.
pub(crate) struct Metrics(BTreeMap<(String, Labels), f64>);

type Labels = BTreeMap<String, String>;

impl Metrics {
    pub(crate) async fn of(server: &TestServer) -> Self {
        let answer = server.send(Request::get("/metrics").body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Self::read(&answer.text())
    }

    fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let (mut numbers, mut types) = (BTreeMap::new(), BTreeMap::new());
        let mut helped = BTreeSet::new();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, about) = help.split_once(' ').unwrap_or_else(|| panic!("no text: {line}"));
                assert!(helped.insert(name.to_owned()) && !about.is_empty(), "{line}");
            } else if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert!(["counter", "gauge", "histogram"].contains(&kind) && helped.contains(name), "{line}");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "told twice: {line}");
                name.clone_into(&mut family);
            } else {
                let (name, labels, number) = sample(line).unwrap_or_else(|| panic!("not a line of the format: {line}"));
                let part = name.strip_prefix(&family).unwrap_or_else(|| panic!("not among its kind: {line}"));
                let is_histogram = types.get(&family).is_some_and(|kind| kind == "histogram");
                let parts: &[&str] = if is_histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(parts.contains(&part) && (part == "_bucket") == labels.contains_key("le"), "{line}");
                assert!(numbers.insert((name, labels), number).is_none(), "told twice: {line}");
            }
        }
        Self(numbers)
    }

    /// The number of a metric with these labels, and whatever others; 0 where it is not there.
    pub(crate) fn value(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |known: &Labels| labels.iter().all(|(name, value)| known.get(*name).is_some_and(|is| is == value));
        let found = self.0.iter().find(|((name, known), _)| name == metric && fits(known));
        found.map_or(0.0, |(_, number)| *number)
    }

    /// Whether a metric is there at all.
    pub(crate) fn has(&self, metric: &str) -> bool {
        self.0.keys().any(|(name, _)| name == metric)
    }
}

/// `name{label="value",other="value"} 1.5`
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"")?;
            let (value, behind) = unquoted(quoted)?;
            let is_name = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            (is_name && labels.insert(label.to_owned(), value).is_none()).then_some(())?;
            rest = behind.strip_prefix(',').unwrap_or(behind);
        }
        rest = &rest[1..];
    }
    let number = rest.strip_prefix(' ')?.replace("+Inf", "inf").parse().ok()?;
    (!name.is_empty()).then(|| (name.to_owned(), labels, number))
}

/// A value up to the quote at its end, and what stands behind that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}
