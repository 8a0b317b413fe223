//! The catalogue of error codes. A code stays what it is for ever; each has a page in `docs/errors/`.
//!
//! The codes stand beside what raises them, and `linkme` gathers them; a test walks the catalogue and the pages.

use linkme::distributed_slice;

/// A code that users meet.
#[derive(Debug)]
pub(crate) struct ErrorCode {
    /// `RG` and four digits.
    pub(crate) code: &'static str,
    /// What it means, in a few words.
    pub(crate) title: &'static str,
    /// What to do about it: the page, in Markdown.
    pub(crate) page: &'static str,
}

/// Every code of this server.
#[distributed_slice]
pub(crate) static ERROR_CODES: [ErrorCode];

/// The catalogue, in the order of the codes.
#[must_use]
pub(crate) fn error_codes() -> Vec<&'static ErrorCode> {
    let mut codes: Vec<_> = ERROR_CODES.iter().collect();
    codes.sort_by_key(|code| code.code);
    codes
}

/// Defines codes as `pub(crate) static`s and puts them into the catalogue, each with its page.
macro_rules! catalogue {
    ($($name:ident = $title:literal;)+) => {
        $(
            #[expect(unsafe_code, reason = "linkme places the static in a section of its own")]
            #[linkme::distributed_slice($crate::codes::ERROR_CODES)]
            pub(crate) static $name: $crate::codes::ErrorCode = $crate::codes::ErrorCode {
                code: stringify!($name),
                title: $title,
                page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors/", stringify!($name), ".md")),
            };
        )+
    };
}

pub(crate) use catalogue;

#[cfg(test)]
mod tests {
    use super::error_codes;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn each_code_stands_once_with_a_page_that_says_what_to_do_and_each_page_has_a_code() {
        let codes = error_codes();
        for code in &codes {
            let title = format!("# {}: {}\n", code.code, code.title);
            assert!(code.page.starts_with(&title), "the page of {} does not begin with {title:?}", code.code);
            assert!(code.page.contains("\n## What to do\n"), "{}", code.code);
        }
        let known: BTreeSet<String> = codes.iter().map(|code| format!("{}.md", code.code)).collect();
        assert_eq!(known.len(), codes.len(), "a code stands twice");
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
        let pages = pages.read_dir().expect("the pages").map(|page| page.expect("a page").file_name());
        assert_eq!(pages.map(|name| name.to_string_lossy().into_owned()).collect::<BTreeSet<_>>(), known);
    }
}
