//! A server of one's own: the same framework, other extensions. These two lines and a `Cargo.toml` are all of it.

// An extension that is listed and not linked would be missing without a word.
#![cfg_attr(not(test), deny(unused_crate_dependencies))]

rivetgun::link_extensions!();

fn main() -> std::process::ExitCode {
    rivetgun::run()
}
