use rivetgun::prelude::*;

#[derive(Default)]
struct Logger;

#[extension(name = "logger", colour = "red")]
impl Extension for Logger {}

fn main() {}
