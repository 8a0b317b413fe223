//! The type of the settings of an extension: `settings = LogSettings`.

use darling::ast::MetaNameValueInvalidExpr;
use darling::{Error, FromMeta};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, Type};

/// Any type. Whether it has what settings need is told by rustc, on the tokens of the author.
pub(crate) struct Settings(Type);

/// A type may be an expression as well, as `LogSettings` is, or not, as `LogSettings<'static>`.
impl FromMeta for Settings {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        read(value)
    }

    fn from_invalid_expr(argument: &MetaNameValueInvalidExpr) -> darling::Result<Self> {
        read(&argument.value)
    }
}

fn read(value: &impl ToTokens) -> darling::Result<Settings> {
    syn::parse2(value.to_token_stream())
        .map(Settings)
        .map_err(|_| Error::custom("expected a type, such as `LogSettings`").with_span(&value.to_token_stream()))
}

impl ToTokens for Settings {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
