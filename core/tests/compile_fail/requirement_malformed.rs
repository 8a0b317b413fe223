use rivetgun::prelude::*;

#[derive(Default)]
struct Logger;

#[extension(name = "logger", requires = ["volume_manager >= one", "logger >= 1"])]
impl Extension for Logger {}

fn main() {}
