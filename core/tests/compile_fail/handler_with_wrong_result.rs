use rivetgun::prelude::*;

struct Entry;

async fn list() -> Result<Vec<Entry>> {
    Ok(Vec::new())
}

async fn forget(id: i64) {
    drop(id);
}

fn main() {
    let _ = urls! {
        "/a" => get(list).delete(forget),
    };
}
