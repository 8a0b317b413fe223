//! The mistakes of one invocation, gathered so that all of them are reported at once.
//!
//! `darling` has an accumulator too. It keeps one span an error, and on a stable compiler that is the first token: of
//! `path::to::m2` only `path` would be underlined. A `syn::Error` keeps the first and the last.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// Mistakes in the order in which they were found; as tokens, one `compile_error!` each.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<syn::Error>);

impl Mistakes {
    pub(crate) fn push(&mut self, mistake: impl Into<syn::Error>) {
        self.0.push(mistake.into());
    }

    /// Reports `message` on all tokens of `place`.
    pub(crate) fn report(&mut self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(place, message));
    }

    /// The value of a success; a failure is noted and gives nothing.
    pub(crate) fn keep<T, E: Into<syn::Error>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|mistake| self.push(mistake)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a macro in the place of an expression expands to. The expression is there even if there are mistakes, so
    /// that the code around it keeps its types.
    pub(crate) fn with(&self, expression: TokenStream) -> TokenStream {
        if self.is_empty() {
            expression
        } else {
            quote! {{ #self #expression }}
        }
    }
}

impl ToTokens for Mistakes {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.iter().map(syn::Error::to_compile_error));
    }
}
