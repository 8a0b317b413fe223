//! Where a row of the table ends.
//!
//! Handlers are not parsed, only handed on: rustc reports what is wrong in them on the right token, and an editor completes
//! in those that are half typed. So the commas between rows have to be told from those in `get::<A, B>(handler)`.

use proc_macro2::{Spacing, TokenStream, TokenTree};

/// The rows of a table, without the commas between them.
pub(super) fn rows(table: TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = table.into_iter().collect();
    let mut rows = Vec::new();
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        if is(token, ',') && starts_row(&tokens[at + 1..]) {
            rows.push(tokens[start..at].iter().cloned().collect());
            start = at + 1;
        }
    }
    if start < tokens.len() {
        rows.push(tokens[start..].iter().cloned().collect());
    }
    rows
}

/// Behind a comma, a row starts where the table ends, with a literal, and with whatever has an arrow before the next comma.
fn starts_row(rest: &[TokenTree]) -> bool {
    let Some(first) = rest.first() else { return true };
    if matches!(first, TokenTree::Literal(_)) {
        return true;
    }
    let next_comma = rest.iter().position(|token| is(token, ',')).unwrap_or(rest.len());
    arrow(&rest[..next_comma]).is_some()
}

/// Where the first `=>` stands. An arrow in a handler, as in `match`, is inside braces and so inside one token here.
pub(super) fn arrow(tokens: &[TokenTree]) -> Option<usize> {
    tokens.windows(2).position(|pair| match pair {
        [TokenTree::Punct(equals), greater] => {
            equals.as_char() == '=' && equals.spacing() == Spacing::Joint && is(greater, '>')
        }
        _ => false,
    })
}

fn is(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == punct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tokens;

    fn split(table: &str) -> Vec<String> {
        rows(tokens(table)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn commas_in_handlers_do_not_end_a_row() {
        assert_eq!(split(r#""/a" => get::<A, B>(f), "/b" => on(GET, |a, b| a)"#).len(), 2);
        assert_eq!(split(r#""/a" => get::<A, B>(f),"#).len(), 1);
    }

    #[test]
    fn a_row_that_is_not_right_ends_like_one_that_is() {
        assert_eq!(split(r#""/a" get(a), "/b" => get(b), PATTERN => get(c), "/d", "/e" => "#).len(), 5);
        assert_eq!(split(r#""/a" => , "/b" => get(b), "#).len(), 2);
        assert_eq!(split("").len(), 0);
    }
}
