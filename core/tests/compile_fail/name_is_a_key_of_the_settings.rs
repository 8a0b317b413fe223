use rivetgun::prelude::*;

#[derive(Default)]
struct Active;

#[extension(name = "active", after = ["required"])]
impl Extension for Active {}

fn main() {}
