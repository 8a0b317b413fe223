//! `#[extension]`: one impl of `Described`, and one registration.

use proc_macro2::TokenStream;
use quote::quote;

use crate::mistakes::Mistakes;
use crate::trait_impl::TraitImpl;
use arguments::Arguments;

mod arguments;
mod entries;
mod name;
mod priority;
mod requirement;
mod settings;
#[cfg(test)]
mod tests;
mod version;

pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let arguments = Arguments::read(arguments, &mut mistakes);
    let Some(target) = mistakes.keep(TraitImpl::read(item.clone(), "extension", "Extension")) else {
        return quote! { #item #mistakes };
    };
    if !target.generics.params.is_empty() {
        mistakes.report(&target.generics, "an extension is registered as one type: leave the generics out");
    }

    let has = |method: &str| target.overrides.iter().any(|overridden| overridden == method);
    match (has("subscriptions"), has("handle_event")) {
        (true, false) => {
            mistakes.report(&target.ty, "`subscriptions` needs a `handle_event`, which is given the events");
        }
        (false, true) => {
            mistakes.report(
                &target.ty,
                "`handle_event` is never called without `subscriptions`, which says for which events",
            );
        }
        _ => {}
    }

    let described = described(&arguments, &target);
    // Registering what is described wrongly could only add errors to those that are reported.
    let registered = mistakes.is_empty().then(|| registered(&arguments, &target));
    quote! { #item #described #registered #mistakes }
}

/// The impl of `Described`, complete even if arguments are wrong or missing: without it, the author would also be told
/// that the trait is not implemented.
fn described(arguments: &Arguments, target: &TraitImpl) -> TokenStream {
    // Taken apart by name, so that an argument that is read and then forgotten here does not compile.
    let Arguments { name, version, description, url, after, requires, priority, settings, krate } = arguments;
    let TraitImpl { cfgs, generics, ty, overrides } = target;

    let name = name.as_ref().map_or(quote!(""), |name| quote!(#name));
    let version = version.as_ref().map_or(package("VERSION"), |version| quote!(#version));
    let description = description.as_ref().map_or(package("DESCRIPTION"), |text| quote!(#text));
    let url = url.as_ref().map_or(package("REPOSITORY"), |text| quote!(#text));
    let package_name = package("NAME");
    let settings = settings.as_ref().map_or(quote!(#krate::__private::NoSettings), |ty| quote!(#ty));
    let place = target.place();
    let (of, _, bounds) = generics.split_for_impl();

    quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl #of #krate::__private::Described for #ty #bounds {
            type Settings = #settings;
            const METADATA: &'static #krate::__private::Metadata = &#krate::__private::Metadata {
                name: #name,
                version: #version,
                description: #description,
                url: #url,
                krate: #package_name,
                #place
                priority: #priority,
                after: &[#(#after),*],
                requires: &[#(#requires),*],
                overrides: &[#(#overrides),*],
            };
        }
    }
}

fn registered(arguments: &Arguments, target: &TraitImpl) -> TokenStream {
    let (Arguments { krate, .. }, TraitImpl { cfgs, ty, .. }) = (arguments, target);
    quote! {
        #(#cfgs)*
        #krate::__private::inventory::submit! { #krate::__private::Registration::of::<#ty>() }
    }
}

/// A field of the author's `Cargo.toml`, where `env!` looks it up: the macro's own environment may be an editor's.
fn package(field: &str) -> TokenStream {
    let variable = format!("CARGO_PKG_{field}");
    quote!(::core::env!(#variable))
}
