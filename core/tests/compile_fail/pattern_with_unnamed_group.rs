use rivetgun::prelude::*;

async fn show() {}

fn table() -> Urls {
    urls! {
        r"/logger/(\d+)" => get(show),
    }
}

fn main() {
    let _ = table();
}
