use rivetgun::prelude::*;

async fn show() {}

fn table() -> Urls {
    urls! {
        r"/logger/(?P<node_id>\d+/?" => get(show),
    }
}

fn main() {
    let _ = table();
}
