use quote::quote;

use super::expand;
use crate::testing::{mistakes, pretty_expression};

#[test]
fn a_table_becomes_one_chain() {
    let expansion = expand(quote! {
        r"/additional_logger/(?P<node_id>\d+)/?" => get(entries::of_node).delete(entries::forget),
        "/typed" => get::<Handler<A, B>, ()>(|a, b| a),
    });
    insta::assert_snapshot!(pretty_expression(expansion));
    insta::assert_snapshot!("empty", pretty_expression(expand(quote!())));
}

#[test]
fn every_mistake_is_reported_on_its_literal() {
    let table = r##"
        r"/a/(" => get(a),
        "b" => get(b),
        r"^/c/(\d+)$" => get(c),
        r"/d/(\w+)/(?:x)/(?P<id>(y))" => get(d),
        "/e" => get(e),
        r"/e" => post(e),
        PATTERN => get(f),
        concat!("/", "g") => get(g),
        "/h" get(h),
        "/i",
        "/j" => ,
        "/k" => get(k), get(l),
        => get(m),
        b"/n" => get(n)
    "##;
    insta::assert_snapshot!(mistakes(expand, table));
}

#[test]
fn a_row_with_a_wrong_pattern_keeps_its_handler() {
    let expansion = expand(quote!("a" => get(a), "/b" => get(b.))).to_string();
    assert!(expansion.contains("get (a)") && expansion.contains("get (b .)"), "{expansion}");
}

#[test]
fn a_macro_of_the_user_may_write_the_table() {
    let pattern = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!("/a"));
    let expansion = expand(quote!(#pattern => get(a), #pattern => get(b)));
    assert_eq!(crate::testing::reported(expansion).lines().count(), 2, "only that the pattern is there twice");
}
