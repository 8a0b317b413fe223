use rivetgun::prelude::*;

async fn show() {}

fn table() -> Urls {
    urls! {
        "/logger" get(show),
        "/logger/entries" => get(show),
    }
}

fn main() {
    let _ = table();
}
