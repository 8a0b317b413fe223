//! `link_extensions!()`: names every dependency of the calling package, since rustc drops a crate that nobody names, and
//! with it, silently, the extension in it.

use std::path::PathBuf;
use std::{env, fs};

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::mistakes::Mistakes;
use manifest::{Dependencies, Linked};

mod features;
mod manifest;

pub(crate) fn expand(nothing: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    if !nothing.is_empty() {
        mistakes.report(nothing, "`link_extensions!()` takes no argument: it links what `[dependencies]` lists");
    }
    let linked = link(&mut mistakes).unwrap_or_else(|why| {
        mistakes.push(here(why));
        TokenStream::new()
    });
    quote! { #linked #mistakes }
}

/// What can be linked is, even if something else cannot: otherwise `unused_crate_dependencies` would report all of it.
fn link(mistakes: &mut Mistakes) -> Result<TokenStream, String> {
    let path = manifest_path()?;
    let shown = path.display();
    let text = fs::read_to_string(&path).map_err(|why| format!("cannot read {shown}: {why}"))?;
    let Dependencies { linked, triples } = manifest::read(&text).map_err(|why| format!("{shown}: {why}"))?;
    for triple in triples {
        mistakes.push(here(format!(
            "{shown}: the dependencies for `{triple}` cannot be linked, since source knows no target triples: \
             write a condition, as in `[target.'cfg(target_os = \"linux\")'.dependencies]`"
        )));
    }
    let items: Vec<_> = linked.iter().filter_map(|linked| mistakes.keep(item(linked).map_err(here))).collect();
    let path = path.to_str().ok_or_else(|| format!("{shown} is not a path in UTF-8"))?;
    Ok(quote! {
        #(#items)*
        // What a macro reads is unknown to rustc; what it includes is watched.
        const _: &[u8] = ::core::include_bytes!(#path);
    })
}

/// A mistake in the manifest; there is no token of it to underline.
fn here(why: String) -> syn::Error {
    syn::Error::new(Span::call_site(), why)
}

/// The manifest of the package that is being compiled. The variable is read while the macro runs: it is the caller's.
fn manifest_path() -> Result<PathBuf, String> {
    let directory = env::var_os("CARGO_MANIFEST_DIR")
        .ok_or("`link_extensions!()` works under cargo only, which tells where Cargo.toml is")?;
    Ok(PathBuf::from(directory).join("Cargo.toml"))
}

/// `extern crate x as _;`, behind the conditions under which cargo passes the crate to rustc.
fn item(linked: &Linked) -> Result<TokenStream, String> {
    let Linked { krate, target, features } = linked;
    // A dependency may be called like a keyword: cargo allows `try`.
    let name = syn::parse_str::<Ident>(krate)
        .or_else(|_| syn::parse_str(&format!("r#{krate}")))
        .map_err(|_| format!("the dependency `{krate}` has a name that no crate can have"))?;
    let target = target.as_deref().map(attribute).transpose()?;
    let features = features.as_ref().map(|features| {
        let features = features.iter();
        quote! { #[cfg(any(#(feature = #features),*))] }
    });
    Ok(quote! { #target #features extern crate #name as _; })
}

fn attribute(condition: &str) -> Result<TokenStream, String> {
    let condition: TokenStream = condition.parse().map_err(|_| format!("`cfg({condition})` cannot be read"))?;
    Ok(quote! { #[cfg(#condition)] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pretty, reported};

    fn linked(krate: &str, target: Option<&str>, features: &[&str]) -> Linked {
        let features = features.iter().map(ToString::to_string).collect();
        Linked { krate: krate.to_owned(), target: target.map(str::to_owned), features: Some(features) }
    }

    #[test]
    fn a_crate_is_named_on_the_conditions_on_which_it_is_there() {
        let plain = Linked { features: None, ..linked("plain", None, &[]) };
        let all = [plain, linked("r", Some("all(unix, not(test))"), &["a", "b-c"]), linked("try", None, &["try"])];
        insta::assert_snapshot!(pretty(all.iter().map(|linked| item(linked).expect("a name of a crate")).collect()));
    }

    #[test]
    fn a_name_or_condition_that_source_cannot_say_is_a_mistake() {
        assert!(item(&linked("self", None, &[])).is_err());
        assert!(item(&linked("a.b", None, &[])).is_err());
        assert!(item(&linked("a", Some("all("), &[])).is_err());
    }

    #[test]
    fn the_manifest_is_that_of_the_package_being_compiled_and_is_watched() {
        let expansion = expand(TokenStream::new());
        assert_eq!(reported(expansion.clone()), "");
        let expansion = pretty(expansion);
        assert!(expansion.contains("extern crate regex_syntax as _;"), "{expansion}");
        assert!(expansion.contains("macros/Cargo.toml\");"), "{expansion}");
    }

    #[test]
    fn arguments_are_refused() {
        let reported = reported(expand(crate::testing::tokens("additional_logger, x")));
        assert!(reported.starts_with("additional_logger, x\n    `link_extensions!()` takes no argument"), "{reported}");
    }
}
