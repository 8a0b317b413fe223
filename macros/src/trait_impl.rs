//! The `impl Trait for Type { … }` under an attribute, read as far as an attribute needs it.
//!
//! Only the head is parsed. The body stays tokens, so that a half-typed method neither breaks the macro nor the editor,
//! and rustc reports what is wrong in it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Generics, Token, Type, Visibility, braced};

/// What an attribute has to know of the impl that it stands on.
pub(crate) struct TraitImpl {
    /// The `cfg` attributes of the impl. What is emitted beside it has to come and go with it.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) generics: Generics,
    pub(crate) ty: Type,
    /// The methods that the impl writes, in source order. One behind a `cfg` counts too: calling a default is harmless.
    pub(crate) overrides: Vec<String>,
}

impl TraitImpl {
    /// Reads `item` under `#[attribute]`, which belongs on an impl of `name`.
    pub(crate) fn read(item: TokenStream, attribute: &str, name: &str) -> syn::Result<Self> {
        let place = format!("`#[{attribute}]` belongs on `impl {name} for YourType {{ … }}`");
        (|input: ParseStream<'_>| Self::parse(input, name, &place)).parse2(item)
    }

    fn parse(input: ParseStream<'_>, name: &str, place: &str) -> syn::Result<Self> {
        let mut cfgs = Attribute::parse_outer(input)?;
        cfgs.retain(|attribute| attribute.path().is_ident("cfg"));
        // Of `pub struct X` the word to point at is `struct`.
        Visibility::parse(input)?;
        <Option<Token![unsafe]>>::parse(input)?;
        let keyword = input.cursor();
        if <Option<Token![impl]>>::parse(input)?.is_none() {
            let found = keyword.token_tree().map_or(String::new(), |(token, _)| format!(", not on this `{token}`"));
            return Err(input.error(format!("{place}{found}")));
        }

        let mut generics = Generics::parse(input)?;
        let implemented = Type::parse(input)?;
        if <Option<Token![for]>>::parse(input)?.is_none() {
            return Err(syn::Error::new_spanned(implemented, format!("{place}; this impl is of no trait")));
        }
        if !is_trait(&implemented, name) {
            return Err(syn::Error::new_spanned(implemented, format!("{place}; this impl is of another trait")));
        }
        let ty = Type::parse(input)?;
        generics.where_clause = input.parse()?;
        let body;
        braced!(body in input);
        Ok(Self { cfgs, generics, ty, overrides: methods(body.parse()?) })
    }

    /// Where the impl is, as the fields of its metadata. With the span of the type: otherwise the line would be that of
    /// the attribute.
    pub(crate) fn place(&self) -> TokenStream {
        quote_spanned! {self.ty.span()=>
            file: ::core::file!(),
            line: ::core::line!(),
        }
    }
}

/// Whether `path` names the trait, whatever the path before it: it may be re-exported anywhere.
fn is_trait(path: &Type, name: &str) -> bool {
    matches!(path, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

/// The names after `fn` at the top level of a body.
fn methods(body: TokenStream) -> Vec<String> {
    let mut methods = Vec::new();
    let mut after_fn = false;
    for token in body {
        match token {
            TokenTree::Ident(method) if after_fn => methods.push(method.unraw().to_string()),
            TokenTree::Ident(keyword) => {
                after_fn = keyword == "fn";
                continue;
            }
            // What a `macro_rules!` of the user hands on stands in an invisible group.
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                methods.extend(self::methods(group.stream()));
            }
            _ => {}
        }
        after_fn = false;
    }
    methods
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn only_methods_of_the_impl_itself_count() {
        let body = quote! {
            const F: fn(u32) -> u32 = { fn inner(x: u32) -> u32 { x } inner };
            #[cfg(feature = "x")]
            fn urls(&self) -> Urls { fn nested() {} todo!() }
            async fn on_node_create(&self) -> Result<()> { Ok(()) }
        };
        assert_eq!(methods(body), ["urls", "on_node_create"]);
    }

    #[test]
    fn a_half_typed_body_is_read_as_far_as_it_goes() {
        assert_eq!(methods(quote! { fn urls(&self) -> { self. } fn }), ["urls"]);
    }
}
