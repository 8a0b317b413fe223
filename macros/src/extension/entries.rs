//! The lists among the arguments: `after = ["x", "y"]`.

use darling::{Error, FromMeta};
use syn::{Expr, ExprArray, LitStr};

use crate::given::Given;
use crate::literal;
use crate::mistakes::Mistakes;

/// What can stand in a list: another extension, and maybe more about it.
pub(super) trait Entry: Sized {
    fn read(literal: LitStr) -> darling::Result<Self>;

    /// The name of the other extension, which may stand only once in a list.
    fn key(&self) -> &str;
}

/// The entries of the list `argument` that are right, in source order; none if it was not given.
pub(super) fn take<T: Entry>(given: &mut Given, argument: &str, mistakes: &mut Mistakes) -> Vec<T> {
    let mut entries: Vec<T> = Vec::new();
    let Some(List(list)) = given.take(argument, mistakes) else { return entries };
    for element in &list.elems {
        let Some(literal) = mistakes.keep(literal::string(element)) else { continue };
        let read = T::read(literal.clone()).map_err(|mistake| mistake.with_span(&literal));
        let Some(entry) = mistakes.keep(read) else { continue };
        if entries.iter().any(|earlier| earlier.key() == entry.key()) {
            mistakes.report(literal, format!("`{}` is listed twice", entry.key()));
        } else {
            entries.push(entry);
        }
    }
    entries
}

/// A list of whatever.
struct List(ExprArray);

impl FromMeta for List {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match value {
            Expr::Array(list) => Ok(Self(list.clone())),
            // What a `macro_rules!` of the user hands on stands in an invisible group.
            Expr::Group(group) => Self::from_expr(&group.expr),
            other => Err(Error::custom("expected a list, such as `[\"volume_manager\"]`").with_span(other)),
        }
    }
}
