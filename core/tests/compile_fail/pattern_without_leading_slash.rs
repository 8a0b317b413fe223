use rivetgun::prelude::*;

async fn show() {}

fn table() -> Urls {
    urls! {
        "logger/entries" => get(show),
    }
}

fn main() {
    let _ = table();
}
