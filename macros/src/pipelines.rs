//! `pipelines![…]`: the pipelines of an extension, as expressions, in the order in which they run.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Expr;

use crate::list;
use crate::mistakes::Mistakes;

pub(crate) fn expand(pipelines: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let pipelines: Vec<Expr> =
        list::read(pipelines, "a pipeline, such as `TimeStarted` or `TimeStarted::new()`", &mut mistakes);
    let mut seen = BTreeSet::new();
    for pipeline in &pipelines {
        // Tokens and not text, so that spaces and line breaks do not tell two equal pipelines apart.
        if !seen.insert(pipeline.to_token_stream().to_string()) {
            mistakes.report(pipeline, "this pipeline is listed twice: it would run twice");
        }
    }
    mistakes.with(quote! { ::rivetgun::__private::Pipelines::new() #(.with(#pipelines))* })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{mistakes, pretty_expression};

    #[test]
    fn a_list_becomes_one_chain() {
        let expansion = expand(quote!(TimeStarted, Other::<A, B>::new("x"), |data| data));
        insta::assert_snapshot!(pretty_expression(expansion));
    }

    #[test]
    fn every_mistake_is_reported_on_its_expression() {
        let list = "TimeStarted, Other::new( 1 ), Half::, TimeStarted, Other::new(1), let";
        insta::assert_snapshot!(mistakes(expand, list));
    }
}
