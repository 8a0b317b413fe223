//! The version of an extension, which others may require.

use darling::{Error, FromMeta};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, LitStr};

use crate::literal;

/// A semantic version, as the author wrote it.
pub(crate) struct Version(LitStr);

impl FromMeta for Version {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        let literal = literal::string(value)?;
        let text = literal.value();
        match semver::Version::parse(&text) {
            Ok(_) => Ok(Self(literal)),
            Err(why) => Err(Error::custom(format!("`{text}` is not a semantic version: {why}")).with_span(&literal)),
        }
    }
}

impl ToTokens for Version {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
