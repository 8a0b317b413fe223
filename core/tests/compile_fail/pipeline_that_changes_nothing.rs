use rivetgun::prelude::*;

struct TimeStarted;

#[pipeline]
impl Pipeline for TimeStarted {}

fn main() {
    let _ = pipelines![TimeStarted];
}
