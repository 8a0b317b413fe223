//! The catalogue of error codes. A code stays what it is for ever; each has a page in `docs/errors/`.
//!
//! The codes stand beside what raises them, and `linkme` gathers them; a test walks the catalogue and the pages.

use linkme::distributed_slice;

/// A code that users meet.
#[derive(Debug)]
pub struct ErrorCode {
    /// `RG` and four digits.
    pub code: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
    /// What to do about it: the page, in Markdown.
    pub page: &'static str,
}

/// Every code of this server.
#[distributed_slice]
pub static ERROR_CODES: [ErrorCode];

/// The catalogue, in the order of the codes.
#[must_use]
pub fn error_codes() -> Vec<&'static ErrorCode> {
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
