//! One row: a pattern, an arrow, a handler.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, LitStr, Token};

use super::split;

/// What stands in one row; the pattern is not checked yet, and the handler is none of our business.
pub(super) struct Row {
    pub(super) pattern: LitStr,
    pub(super) handler: TokenStream,
}

impl Row {
    pub(super) fn read(row: TokenStream) -> syn::Result<Self> {
        let tokens: Vec<TokenTree> = row.into_iter().collect();
        let Some(arrow) = split::arrow(&tokens) else {
            let pattern = tokens.first().cloned();
            return Err(Error::new_spanned(
                pattern,
                "expected `=>` and a handler after this, as in `r\"/x\" => get(x)`",
            ));
        };
        let (pattern, handler) = (stream(&tokens[..arrow]), stream(&tokens[arrow + 2..]));
        if pattern.is_empty() {
            return Err(Error::new_spanned(stream(&tokens[arrow..arrow + 2]), "expected a pattern before the arrow"));
        }
        if handler.is_empty() {
            return Err(Error::new_spanned(pattern, "expected a handler after the arrow, such as `get(x)`"));
        }
        refuse_second_handler(&handler)?;
        match syn::parse2(pattern.clone()) {
            Ok(pattern) => Ok(Self { pattern, handler }),
            Err(_) => Err(Error::new_spanned(
                pattern,
                "a pattern is a string literal: no other expression can be checked while compiling",
            )),
        }
    }
}

/// `"/a" => get(a), get(b)` would otherwise become an error about the number of arguments of a function that the author
/// does not know.
fn refuse_second_handler(handler: &TokenStream) -> syn::Result<()> {
    match Punctuated::<Expr, Token![,]>::parse_terminated.parse2(handler.clone()) {
        Ok(handlers) if handlers.len() > 1 => {
            Err(Error::new_spanned(&handlers[1], "expected a pattern and `=>` before this handler"))
        }
        _ => Ok(()),
    }
}

fn stream(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}
