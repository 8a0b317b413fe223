use rivetgun::prelude::*;

fn list() -> Migrations {
    migrations!["m20261121_000001_create_entries"]
}

fn main() {
    let _ = list();
}
