use rivetgun::prelude::*;

#[derive(Default)]
struct Logger;

impl Extension for Logger {}

fn need<T: Extension>() {}

fn main() {
    need::<Logger>();
}
