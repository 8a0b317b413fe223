//! What the tests of this crate share: expansions as people read them, and the mistakes in them.

use proc_macro2::{TokenStream, TokenTree};
use syn::{LitStr, parse_quote};

/// Parses `source` as rustc would: with spans that remember what they cover.
pub(crate) fn tokens(source: &str) -> TokenStream {
    source.parse().expect("the source of a test is made of tokens")
}

/// Items, formatted.
pub(crate) fn pretty(items: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(items).expect("an attribute expands to items"))
}

/// An expression, formatted.
pub(crate) fn pretty_expression(expression: TokenStream) -> String {
    let expression: syn::Expr = syn::parse2(expression).expect("a macro in the place of an expression expands to one");
    prettyplease::unparse(&parse_quote!(fn expansion() { #expression }))
}

/// The mistakes that a macro reports for `source`: what is underlined, and the message.
pub(crate) fn mistakes(expand: impl Fn(TokenStream) -> TokenStream, source: &str) -> String {
    reported(expand(tokens(source)))
}

/// What an expansion reports, a line for each `compile_error!`.
pub(crate) fn reported(expansion: TokenStream) -> String {
    let mut lines = Vec::new();
    collect(expansion, &mut lines);
    lines.join("\n")
}

/// The first token of such a call has the span at which the mistake begins, and its last that at which it ends.
fn collect(expansion: TokenStream, lines: &mut Vec<String>) {
    let expansion: Vec<TokenTree> = expansion.into_iter().collect();
    for (at, token) in expansion.iter().enumerate() {
        match token {
            TokenTree::Ident(ident) if ident == "compile_error" => {
                let (first, last) = (&expansion[at - 1], &expansion[at + 2]);
                let TokenTree::Group(message) = last else { panic!("`compile_error!` without a message") };
                let message: LitStr = syn::parse2(message.stream()).expect("the message of an error is a string");
                let place = first.span().join(last.span()).and_then(|span| span.source_text());
                let place = place.unwrap_or_else(|| "the attribute".to_owned());
                lines.push(format!("{place}\n    {}", message.value()));
            }
            TokenTree::Group(group) => collect(group.stream(), lines),
            _ => {}
        }
    }
}
