use rivetgun::prelude::*;

async fn show() {}

fn table() -> Urls {
    urls! {
        "/logger" => get(show),
        "/logger" => delete(show),
    }
}

fn main() {
    let _ = table();
}
