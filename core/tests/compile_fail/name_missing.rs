use rivetgun::prelude::*;

#[derive(Default)]
struct Logger;

#[extension(version = "1.0.0")]
impl Extension for Logger {}

fn main() {}
