use rivetgun::prelude::*;

#[derive(Default)]
struct Logger;

#[extension(name = "logger", version = "1.0")]
impl Extension for Logger {}

fn main() {}
