//! The name of an extension, under which it stands in settings and URLs; its tables begin with it.

use darling::{Error, FromMeta};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, LitStr};

use super::entries::Entry;
use crate::literal;

/// Names of tables are `<name>_<table>`, and PostgreSQL cuts identifiers after 63 bytes.
const LONGEST: usize = 32;

/// Keys of the settings' section `[extensions]`, in which each extension has a section of its name.
const KEYS: [&str; 2] = ["active", "required"];

/// A name that is fit to be the prefix of tables: `[a-z][a-z0-9_]*`, at most 32 characters.
pub(crate) struct ExtensionName {
    literal: LitStr,
    value: String,
}

/// Checks a name wherever it stands; returns what to tell the author.
pub(super) fn check(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    let tail = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(tail) {
        let example = suggestion(name);
        return Err(format!("`{name}` is not a valid extension name: use snake_case, such as `{example}`"));
    }
    if length > LONGEST {
        return Err(format!("`{name}` has {length} characters: the name of an extension has at most {LONGEST}"));
    }
    if KEYS.contains(&name) {
        return Err(format!(
            "no extension can be named `{name}`: `[extensions]` of the settings has a key of that name"
        ));
    }
    Ok(())
}

/// `Volume-Manager` and `VolumeManager` both become `volume_manager`.
fn suggestion(name: &str) -> String {
    let mut words = String::new();
    let mut previous = ' ';
    for c in name.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).chars() {
        let starts_word = c.is_ascii_uppercase() && previous.is_ascii_lowercase();
        if (starts_word || !c.is_ascii_alphanumeric()) && !words.ends_with('_') {
            words.push('_');
        }
        if c.is_ascii_alphanumeric() {
            words.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    words.truncate(LONGEST);
    match words.trim_end_matches('_') {
        "" => "additional_logger".to_owned(),
        words => words.to_owned(),
    }
}

impl Entry for ExtensionName {
    fn read(literal: LitStr) -> darling::Result<Self> {
        let value = literal.value();
        check(&value).map_err(Error::custom)?;
        Ok(Self { literal, value })
    }

    fn key(&self) -> &str {
        &self.value
    }
}

impl FromMeta for ExtensionName {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        let literal = literal::string(value)?;
        Self::read(literal.clone()).map_err(|mistake| mistake.with_span(&literal))
    }
}

impl ToTokens for ExtensionName {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.literal.to_tokens(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_snake_case_and_short() {
        for name in ["a", "additional_logger", "x2_", &"x".repeat(32)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in
            ["", "_a", "2x", "Logger", "volume-manager", "protokoll_für_alle", &"x".repeat(33), "active", "required"]
        {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_suggestion_is_a_valid_name() {
        for (name, expected) in [
            ("Volume-Manager", "volume_manager"),
            ("VolumeManager", "volume_manager"),
            ("HTTP proxy", "http_proxy"),
            ("2nd.try!", "nd_try"),
            ("", "additional_logger"),
            ("für", "f_r"),
        ] {
            assert_eq!(suggestion(name), expected);
            assert_eq!(check(expected), Ok(()));
        }
    }
}
