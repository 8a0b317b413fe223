//! `urls! { r"/path/(?P<id>\d+)/?" => get(handler), … }`: a table whose patterns are checked while compiling.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::LitStr;

use crate::mistakes::Mistakes;
use row::Row;

mod pattern;
mod row;
mod split;
#[cfg(test)]
mod tests;

pub(crate) fn expand(table: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for row in split::rows(table) {
        let Some(row) = mistakes.keep(Row::read(row)) else { continue };
        check(&row.pattern, &mut seen, &mut mistakes);
        // A row whose pattern is wrong is there all the same, so that an editor can complete in its handler.
        rows.push(row);
    }
    let rows = rows.iter().map(at);
    mistakes.with(quote! { ::rivetgun::__private::Urls::new() #(#rows)* })
}

fn check(pattern: &LitStr, seen: &mut BTreeSet<String>, mistakes: &mut Mistakes) {
    let text = pattern.value();
    for mistake in pattern::mistakes(&text) {
        mistakes.report(pattern, mistake);
    }
    if !seen.insert(text) {
        mistakes.report(pattern, "this pattern is in the table twice: join its handlers, as in `get(a).post(b)`");
    }
}

/// One row, as the call that adds it; with the place of its pattern, which reports of conflicts name.
fn at(Row { pattern, handler }: &Row) -> TokenStream {
    let place = quote_spanned!(pattern.span()=> ::core::file!(), ::core::line!());
    quote! { .at(#pattern, #place, #handler) }
}
