//! Exists because `links = "rivetgun"` wants a build script; the key makes cargo refuse two versions in one binary.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
