//! What authors read when they make a mistake: one file a mistake, named after it, and beside it what rustc says.
//!
//! `TRYBUILD=overwrite cargo test -p rivetgun --test compile_fail` refreshes the messages; read the diff.

#[test]
fn every_mistake_is_told_on_its_own_token_and_in_the_words_of_the_author() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
