use rivetgun::prelude::*;

#[extension(name = "logger")]
#[derive(Default)]
pub struct Logger;

fn main() {
    let _ = Logger;
}
