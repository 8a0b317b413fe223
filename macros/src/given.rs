//! The arguments of an attribute: `name = value, …`.
//!
//! An attribute of this crate is read argument by argument rather than with `#[derive(FromMeta)]`, since the derive gives
//! all arguments or none. Here those that are right survive those that are wrong. It matters for `settings` and `crate`:
//! were they lost because `version` has a typo, the author's code would get errors about types that are correct.

use std::collections::BTreeMap;

use darling::ast::NestedMeta;
use darling::{Error, FromMeta};
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse::Parser;
use syn::{Expr, Meta, Path, parse_quote};

use crate::mistakes::Mistakes;

/// What stands in the parentheses of an attribute, by name; the values are not checked yet.
pub(crate) struct Given {
    values: BTreeMap<String, NestedMeta>,
    /// Whether each argument was understood. Otherwise "`name` is missing" may be a second error about one typo.
    understood: bool,
}

impl Given {
    /// Reports unknown and repeated arguments, and those that have no value.
    pub(crate) fn read(tokens: TokenStream, known: &[&str], mistakes: &mut Mistakes) -> Self {
        let mut given = Self { values: BTreeMap::new(), understood: true };
        let arguments = match NestedMeta::parse_meta_list(tokens) {
            Ok(arguments) => arguments,
            Err(mistake) => {
                mistakes.push(mistake);
                given.understood = false;
                return given;
            }
        };
        for argument in arguments {
            if let Err(mistake) = given.add(argument, known) {
                mistakes.push(mistake);
                given.understood = false;
            }
        }
        given
    }

    fn add(&mut self, argument: NestedMeta, known: &[&str]) -> darling::Result<()> {
        let path = match &argument {
            NestedMeta::Meta(meta) => meta.path(),
            NestedMeta::NameValueInvalidExpr(pair) => &pair.path,
            NestedMeta::Lit(literal) => return Err(Error::custom("write `argument = value`").with_span(literal)),
        };
        let Some(name) = known.iter().find(|name| path.is_ident(**name)) else {
            return Err(Error::unknown_field_path_with_alts(path, known).with_span(path));
        };
        let has_value = match &argument {
            NestedMeta::Meta(meta) => matches!(meta, Meta::NameValue(_)),
            NestedMeta::NameValueInvalidExpr(pair) => !pair.value.is_empty(),
            NestedMeta::Lit(_) => false,
        };
        if !has_value {
            return Err(Error::custom(format!("write `{name} = …`")).with_span(path));
        }
        if self.values.contains_key(*name) {
            return Err(Error::custom(format!("`{name}` is given twice")).with_span(path));
        }
        self.values.insert((*name).to_owned(), argument);
        Ok(())
    }

    /// An argument that may be left out. Nothing, too, when its value is wrong.
    pub(crate) fn take<T: FromMeta>(&mut self, name: &str, mistakes: &mut Mistakes) -> Option<T> {
        self.values.remove(name).and_then(|value| mistakes.keep(T::from_nested_meta(&value)))
    }

    /// An argument that must be there; `missing` tells what to write.
    pub(crate) fn require<T: FromMeta>(&mut self, name: &str, missing: &str, mistakes: &mut Mistakes) -> Option<T> {
        if self.understood && !self.values.contains_key(name) {
            mistakes.push(syn::Error::new(Span::call_site(), missing));
        }
        self.take(name, mistakes)
    }

    /// The path of the framework: `crate = path` where it was renamed or re-exported.
    ///
    /// Looking a renamed dependency up would cost a process in each build of each extension.
    pub(crate) fn framework(&mut self, mistakes: &mut Mistakes) -> Path {
        self.take("crate", mistakes).map_or_else(|| parse_quote!(::rivetgun), |Framework(path)| path)
    }
}

/// The path of a crate or module.
struct Framework(Path);

impl FromMeta for Framework {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        Path::parse_mod_style
            .parse2(value.to_token_stream())
            .map(Self)
            .map_err(|_| Error::custom("expected a path, such as `::rivetgun`").with_span(value))
    }
}
