use rivetgun::prelude::*;

#[derive(Default)]
struct VolumeManager;

#[extension(name = "Volume-Manager")]
impl Extension for VolumeManager {}

fn main() {}
