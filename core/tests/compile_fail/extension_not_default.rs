use rivetgun::prelude::*;

struct Logger;

#[extension(name = "logger")]
impl Extension for Logger {}

fn main() {}
