//! String literals, where a user could have written anything.

use darling::Error;
use syn::{Expr, ExprLit, Lit, LitStr};

/// The string literal that `value` has to be. A constant will not do: a macro sees its name, not what it holds.
pub(crate) fn string(value: &Expr) -> darling::Result<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
        // What a `macro_rules!` of the user hands on stands in an invisible group.
        Expr::Group(group) => string(&group.expr),
        other => Err(Error::custom("expected a string literal, such as `\"text\"`").with_span(other)),
    }
}
