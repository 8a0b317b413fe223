//! What an extension cannot do without: `"volume_manager"`, or `"volume_manager >= 1.2"`.

use darling::Error;
use proc_macro2::TokenStream;
use quote::ToTokens;
use semver::VersionReq;
use syn::LitStr;

use super::entries::Entry;
use super::name;

/// The name of another extension, and the versions of it that will do.
pub(crate) struct Requirement {
    literal: LitStr,
    name: String,
}

impl Entry for Requirement {
    fn read(literal: LitStr) -> darling::Result<Self> {
        let text = literal.value();
        let (name, versions) = split(&text);
        name::check(name).map_err(Error::custom)?;
        if !versions.is_empty() {
            VersionReq::parse(versions).map_err(|why| {
                Error::custom(format!("`{versions}` is not a version requirement, such as `>= 1.2, < 2`: {why}"))
            })?;
        }
        // One spelling for the framework, whatever the author's: name, space, requirement.
        let canonical = format!("{name} {versions}");
        Ok(Self { name: name.to_owned(), literal: LitStr::new(canonical.trim_end(), literal.span()) })
    }

    /// Two requirements of one extension are a mistake also if their versions differ: one can say both.
    fn key(&self) -> &str {
        &self.name
    }
}

/// The name ends where a space or a comparison begins.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| c.is_whitespace() || "<>=~^*".contains(c)).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

impl ToTokens for Requirement {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.literal.to_tokens(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_a_name_and_maybe_versions() {
        assert_eq!(split("volume_manager"), ("volume_manager", ""));
        assert_eq!(split("volume_manager >= 1.2, < 2"), ("volume_manager", ">= 1.2, < 2"));
        assert_eq!(split(" volume_manager>=1.2 "), ("volume_manager", ">=1.2"));
        assert_eq!(split("volume_manager 1.2"), ("volume_manager", "1.2"));
        assert_eq!(split(">= 1.2"), ("", ">= 1.2"));
    }
}
