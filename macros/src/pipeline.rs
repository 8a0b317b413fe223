//! `#[pipeline]`: one impl of `DescribedPipeline`, so that a pipeline is known by name and place wherever it shows.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Expr, Ident, LitStr, Type};

use crate::given::Given;
use crate::literal;
use crate::mistakes::Mistakes;
use crate::trait_impl::TraitImpl;

pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let mut given = Given::read(arguments, &["name", "crate"], &mut mistakes);
    let name = given.take("name", &mut mistakes).map(|Name(name)| name.value());
    let krate = given.framework(&mut mistakes);
    let Some(target) = mistakes.keep(TraitImpl::read(item.clone(), "pipeline", "Pipeline")) else {
        return quote! { #item #mistakes };
    };
    let TraitImpl { cfgs, generics, ty, overrides } = &target;
    if !overrides.iter().any(|method| method.starts_with("process_")) {
        mistakes.report(ty, CHANGES_NOTHING);
    }

    let name = name.or_else(|| Some(ident(ty)?.unraw().to_string())).unwrap_or_else(|| {
        mistakes.report(ty, "this type has no name of its own: write `#[pipeline(name = \"…\")]`");
        String::new()
    });
    let place = target.place();
    let (of, _, bounds) = generics.split_for_impl();

    quote! {
        #item
        #(#cfgs)*
        #[automatically_derived]
        impl #of #krate::__private::DescribedPipeline for #ty #bounds {
            const METADATA: &'static #krate::__private::PipelineMetadata = &#krate::__private::PipelineMetadata {
                name: #name,
                #place
                overrides: &[#(#overrides),*],
            };
        }
        #mistakes
    }
}

const CHANGES_NOTHING: &str = "this pipeline changes nothing: write at least one of `process_provisioning`, \
    `process_deployment`, `process_provisioning_for_node`, `process_deployment_for_node`";

/// `Stamp` of `crate::pipelines::Stamp<T>`.
fn ident(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| &last.ident),
        Type::Group(group) => ident(&group.elem),
        Type::Paren(paren) => ident(&paren.elem),
        _ => None,
    }
}

/// The name of a pipeline: what a person reads in a report, so any text but none.
struct Name(LitStr);

impl darling::FromMeta for Name {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        let name = literal::string(value)?;
        if name.value().trim().is_empty() {
            return Err(darling::Error::custom("a name must not be empty").with_span(&name));
        }
        Ok(Self(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pretty, reported, tokens};

    fn mistakes(arguments: &str, item: &str) -> String {
        reported(expand(tokens(arguments), &tokens(item)))
    }

    #[test]
    fn a_pipeline_is_named_after_its_type() {
        let item = quote! {
            impl Pipeline for stages::TimeStarted {
                async fn prepare(&self) {}
                fn process_deployment(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> { Ok(()) }
            }
        };
        insta::assert_snapshot!(pretty(expand(quote!(), &item)));
    }

    #[test]
    fn a_pipeline_may_be_generic_and_have_a_name_of_its_own() {
        let item = quote!(
            impl<T: Clock> Pipeline for Stamp<T>
            where
                T: Send,
            {
                fn process_provisioning(&self) {}
            }
        );
        let expansion = expand(quote!(name = "time started", crate = framework), &item);
        assert!(!expansion.to_string().contains("rivetgun"), "`crate = framework` replaces every `rivetgun`");
        insta::assert_snapshot!(pretty(expansion));
    }

    #[test]
    fn every_mistake_is_reported_on_its_token() {
        let works = "impl Pipeline for Stage { fn process_deployment(&self) {} }";
        let cases = [
            mistakes("", "impl Pipeline for Stage<T> { fn prepare(&self) {} fn proces_deployment(&self) {} }"),
            mistakes("nam = \"x\", priority = 1", works),
            mistakes("name = \" \"", works),
            mistakes("", "impl Pipeline for (A, B) { fn process_deployment(&self) {} }"),
            mistakes("", "struct Stage;"),
            mistakes("", "impl Extension for Stage {}"),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }
}
