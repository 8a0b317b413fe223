//! The Rivetgun server. What it can do is what stands in `[dependencies]` of its `Cargo.toml`.

// An extension that is listed and not linked would be missing without a word.
#![cfg_attr(not(test), deny(unused_crate_dependencies))]

rivetgun::link_extensions!();

fn main() -> std::process::ExitCode {
    rivetgun::run()
}
