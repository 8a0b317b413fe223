//! The macros of Rivetgun. Authors use them through the crate `rivetgun`, whose re-exports carry the documentation for
//! users; this crate is for those who maintain them.
//!
//! How the crate is built, so that it stays easy to change:
//! - **A macro is a shell.** The functions below only convert token streams. All else is ordinary code over
//!   [`proc_macro2`], which ordinary unit tests can call.
//! - **What is emitted is data and one call.** An expansion names items of `rivetgun::__private` by absolute paths and
//!   declares no name of its own, so there is nothing that could clash with the names of a user. Whatever branches at run
//!   time is a function of `rivetgun`.
//! - **A mistake costs one error, on its own token.** All mistakes of one invocation are reported together (see
//!   `mistakes.rs`). The user's item is always given back, and the trait that the attribute implements is implemented even
//!   when arguments are wrong: leaving either out would add errors that nobody made.
//! - **Code of the user is not parsed where it is only handed on.** Bodies of methods and handlers of URLs stay tokens:
//!   rustc reports what is wrong in them better than a macro can, and an editor goes on completing in half-typed code.

use proc_macro::TokenStream;

mod extension;
mod given;
mod link;
mod list;
mod literal;
mod migrations;
mod mistakes;
mod pipeline;
mod pipelines;
#[cfg(test)]
mod testing;
mod trait_impl;
mod urls;

/// Registers the extension whose `impl Extension for …` it stands on, and describes it to the framework.
#[proc_macro_attribute]
pub fn extension(arguments: TokenStream, item: TokenStream) -> TokenStream {
    extension::expand(arguments.into(), &item.into()).into()
}

/// Describes the pipeline whose `impl Pipeline for …` it stands on: its name, its place, and what it processes.
#[proc_macro_attribute]
pub fn pipeline(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::expand(arguments.into(), &item.into()).into()
}

/// The URLs of an extension, as `pattern => handlers`; each pattern is checked while compiling.
#[proc_macro]
pub fn urls(table: TokenStream) -> TokenStream {
    urls::expand(table.into()).into()
}

/// The migrations of an extension: a list of modules, each with a type `Migration`, the oldest first.
#[proc_macro]
pub fn migrations(modules: TokenStream) -> TokenStream {
    migrations::expand(modules.into()).into()
}

/// The pipelines of an extension, in the order in which they run.
#[proc_macro]
pub fn pipelines(list: TokenStream) -> TokenStream {
    pipelines::expand(list.into()).into()
}

/// Links every crate that the calling package lists in `[dependencies]`, and with it the extensions in them.
#[proc_macro]
pub fn link_extensions(nothing: TokenStream) -> TokenStream {
    link::expand(nothing.into()).into()
}
