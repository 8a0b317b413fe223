use proc_macro2::TokenStream;
use quote::quote;

use super::expand;
use crate::testing::{pretty, reported, tokens};

/// The mistakes in `#[extension(arguments)]` on an impl that is right.
fn mistakes(arguments: &str) -> String {
    reported(expand(tokens(arguments), &quote!(impl Extension for Logger {})))
}

/// The mistakes in an `#[extension]` whose arguments are right.
fn mistakes_on(item: &str) -> String {
    reported(expand(quote!(name = "logger"), &tokens(item)))
}

fn logger() -> TokenStream {
    quote! {
        impl Extension for Logger {
            fn urls(&self) -> Urls { urls! {} }
            async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> { Ok(()) }
        }
    }
}

#[test]
fn a_name_is_enough() {
    insta::assert_snapshot!(pretty(expand(quote!(name = "logger"), &logger())));
}

#[test]
fn every_argument_reaches_the_metadata() {
    let arguments = quote! {
        name = "logger", version = "1.2.0", description = "Logs.", url = "https://example.org/", after = ["x", "y"],
        requires = ["volume_manager>=1.2", "z"], priority = -1, settings = LogSettings<'static>, crate = framework,
    };
    let expansion = expand(arguments, &logger());
    assert!(!expansion.to_string().contains("rivetgun"), "`crate = framework` replaces every `rivetgun`");
    insta::assert_snapshot!(pretty(expansion));
}

#[test]
fn what_is_emitted_comes_and_goes_with_the_impl() {
    let item = quote!(
        #[cfg(unix)]
        #[doc = "x"]
        impl Extension for Logger {}
    );
    let expansion = expand(quote!(name = "logger"), &item).to_string();
    assert_eq!(expansion.matches("# [cfg (unix)]").count(), 3, "{expansion}");
}

#[test]
fn wrong_arguments_leave_the_right_ones_and_the_impls() {
    let arguments = quote!(name = "Logger", settings = LogSettings, crate = framework);
    insta::assert_snapshot!(pretty(expand(arguments, &logger())));
}

#[test]
fn every_mistake_in_the_arguments_is_reported_on_its_token() {
    let arguments = r#"
        name = "Volume-Manager", version = "1.0", description = 1, url = URL, after = ["a", "B", 1, "a"],
        requires = ["x >= y", "2x", "z", "z >= 1"], priority = 1.5, settings = 1, crate = 1, nmae = "x"
    "#;
    insta::assert_snapshot!(mistakes(arguments));
}

#[test]
fn the_shape_of_the_arguments_is_checked() {
    insta::assert_snapshot!(mistakes(r#"name = "a", name = "b", url, after("x"), "b", colour = "red""#));
    insta::assert_snapshot!("no_comma", mistakes(r#"name = "a" version = "1.0.0""#));
    insta::assert_snapshot!("no_list", mistakes(r#"name = "a", after = "x", priority = "high", settings = , url = "#));
}

#[test]
fn a_missing_name_is_one_mistake() {
    insta::assert_snapshot!("name_missing", mistakes(""));
    insta::assert_snapshot!("name_misspelt", mistakes(r#"nmae = "logger""#));
}

#[test]
fn an_extension_neither_follows_nor_requires_itself() {
    insta::assert_snapshot!(mistakes(r#"name = "a", after = ["B", "a"], requires = ["2", "a >= 1"], version = "x""#));
}

#[test]
fn the_attribute_belongs_on_an_impl_of_the_trait() {
    let items = [
        "pub struct Logger;",
        "#[doc = \"x\"] pub(crate) async fn logger() {}",
        "impl Logger { fn new() -> Self { Logger } }",
        "impl fmt::Display for Logger {}",
        "impl<T: Sink> Extension for Logger<T> where T: Send {}",
    ];
    insta::assert_snapshot!(items.map(mistakes_on).join("\n"));
    assert_eq!(mistakes_on("impl rivetgun::Extension for Logger<'static> {}"), "");
}

#[test]
fn an_item_of_another_kind_is_given_back() {
    let expansion = expand(quote!(name = "logger"), &tokens("pub struct Logger;")).to_string();
    assert!(expansion.starts_with("pub struct Logger ;"), "{expansion}");
}
