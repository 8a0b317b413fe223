//! The priority of an extension, which orders those that `after` and `requires` leave unordered.

use darling::{Error, FromMeta};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, LitInt};

/// Lowest first; 0 unless given. Unlike the integers of `darling`, it may be written with a minus: `priority = -1`.
#[derive(Default)]
pub(crate) struct Priority(i32);

impl FromMeta for Priority {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        syn::parse2::<LitInt>(value.to_token_stream())
            .and_then(|literal| literal.base10_parse())
            .map(Self)
            .map_err(|_| Error::custom("a priority is a whole number of 32 bits, such as `-1`").with_span(value))
    }
}

impl ToTokens for Priority {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
