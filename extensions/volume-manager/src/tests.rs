//! The arithmetic of layouts: the numbers of Nailgun, and what holds for any disks and roles.

use crate::{
    disk::Disk,
    hardware::Hardware,
    plan::Plan,
    settings::VolumeSettings,
    spaces,
};
use proptest::prelude::*;
use rivetgun::prelude::{Object, Value, json};

fn settings(toml: &str) -> Result<VolumeSettings, String> {
    toml::from_str(toml).map_err(|error| error.to_string())
}
