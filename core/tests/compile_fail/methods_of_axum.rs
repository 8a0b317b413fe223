use axum::routing::get;
use rivetgun::prelude::{Urls, urls};

async fn list() {}

fn table() -> Urls {
    urls! {
        "/a" => get(list),
    }
}

fn main() {
    table();
}
