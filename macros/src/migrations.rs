//! `migrations![…]`: a list of modules, each a file with one type `Migration`.
//!
//! A migration is known by the name of its module, in the database too. So names have to differ, and to begin with the
//! date: what a directory shows in order is then what runs in order.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;
use syn::parse::{Parse, ParseStream};

use crate::list;
use crate::mistakes::Mistakes;

const EXAMPLE: &str = "name it `m<date>_<number>_<what>`, such as `m20261121_000001_create_entries`";
const EXPECTED: &str = "the path of a module, such as `m20261121_000001_create_entries`";

pub(crate) fn expand(modules: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let modules: Vec<Module> = list::read(modules, EXPECTED, &mut mistakes);
    check(&modules, &mut mistakes);
    let paths = modules.iter().map(|module| &module.path);
    mistakes.with(quote! { ::rivetgun::__private::Migrations::new() #(.with(#paths::Migration))* })
}

fn check(modules: &[Module], mistakes: &mut Mistakes) {
    let mut seen = BTreeSet::new();
    let mut latest: Option<&str> = None;
    for Module { path, name } in modules {
        if !is_dated(name) {
            mistakes.report(path, format!("`{name}` does not tell its place: {EXAMPLE}"));
            continue;
        }
        if !seen.insert(name) {
            mistakes.report(path, format!("the migration `{name}` is listed twice"));
            continue;
        }
        match latest {
            Some(latest) if latest > name.as_str() => {
                mistakes.report(
                    path,
                    format!("`{name}` comes before `{latest}`: list migrations by name, the oldest first"),
                );
            }
            _ => latest = Some(name),
        }
    }
}

/// `m<digits>_<name>`.
fn is_dated(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    name.strip_prefix('m')
        .and_then(|rest| rest.split_once('_'))
        .is_some_and(|(date, what)| digits(date) && !what.is_empty() && !digits(what))
}

/// The path of a module, and its last segment.
struct Module {
    path: Path,
    name: String,
}

impl Parse for Module {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let path = input.call(Path::parse_mod_style)?;
        let name = path.segments.last().map_or_else(String::new, |last| last.ident.to_string());
        Ok(Self { path, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{mistakes, pretty_expression};

    #[test]
    fn a_list_becomes_one_chain() {
        let expansion = expand(quote!(m20261121_000001_create_entries, path::to::m20261122_000001_more,));
        insta::assert_snapshot!(pretty_expression(expansion));
        insta::assert_snapshot!("empty", pretty_expression(expand(TokenStream::new())));
    }

    #[test]
    fn every_mistake_is_reported_on_its_path() {
        let list = "\"m1\", m20260102_b, Migration {}, path::to::m20260102_b, \
            path::to::m20260101_a, m20260103_c(),, create, m2026";
        insta::assert_snapshot!(mistakes(expand, list));
    }
}
