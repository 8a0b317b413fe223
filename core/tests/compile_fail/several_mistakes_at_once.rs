use rivetgun::prelude::*;

#[derive(Default)]
struct VolumeManager;

// Three mistakes, three errors: that the impl is there keeps it from being four.
#[extension(name = "Volume-Manager", version = "1.0", nmae = "x")]
impl Extension for VolumeManager {}

fn need<T: Extension>() {}

fn main() {
    need::<VolumeManager>();
}
