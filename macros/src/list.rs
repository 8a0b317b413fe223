//! `a, b, c`, where a mistake in one entry does not hide those in the others.

use proc_macro2::{TokenStream, TokenTree};
use syn::Token;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};

use crate::mistakes::Mistakes;

/// Reads entries between commas; one that is not `expected` is reported as a whole, and left out.
pub(crate) fn read<T: Parse>(tokens: TokenStream, expected: &str, mistakes: &mut Mistakes) -> Vec<T> {
    let list = |input: ParseStream<'_>| {
        let mut entries = Vec::new();
        while !input.is_empty() {
            let ahead = input.fork();
            if let Ok(entry) = entry(&ahead) {
                input.advance_to(&ahead);
                entries.push(entry);
            } else {
                mistakes.report(skip(input)?, format!("expected {expected}"));
            }
        }
        Ok(entries)
    };
    // The loop ends only where the input does, and one token after the other can always be skipped.
    list.parse2(tokens).unwrap_or_default()
}

/// An entry and its comma, which may be missing behind the last one.
fn entry<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    let entry = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(entry)
}

/// Takes what stands before the next comma, and the comma; returns what to underline.
fn skip(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut skipped = TokenStream::new();
    while !input.is_empty() {
        match input.parse()? {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                return Ok(if skipped.is_empty() { TokenTree::from(comma).into() } else { skipped });
            }
            token => skipped.extend([token]),
        }
    }
    Ok(skipped)
}
