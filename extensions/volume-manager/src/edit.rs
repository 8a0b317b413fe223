//! A layout that a person wants: what of it makes no sense, all at once, and what it makes of the present one.

use crate::{disk::Disk, plan::Plan};
use rivetgun::prelude::Mistake;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A disk as a person wants it. Disks and volumes that are not named stay as they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenDisk {
    id: String,
    size: u64,
    volumes: Vec<GivenPart>,
    #[serde(default)]
    bootable: Option<bool>,
    // What GET shows may come back, and is what the agent says.
    #[serde(default, rename = "name")]
    _name: Option<String>,
    #[serde(default, rename = "extra")]
    _extra: Vec<String>,
}

/// What a volume is to have of a disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenPart {
    name: String,
    size: u64,
    #[serde(default)]
    keep_data: bool,
}

impl From<Disk> for GivenDisk {
    fn from(disk: Disk) -> Self {
        let part = |part: crate::disk::Part| GivenPart { name: part.name, size: part.size, keep_data: part.keep_data };
        Self {
            id: disk.id,
            size: disk.size,
            volumes: disk.volumes.into_iter().map(part).collect(),
            bootable: Some(disk.bootable),
            _name: None,
            _extra: Vec::new(),
        }
    }
}

/// What `given` makes of `disks`, which are those of the node with the volumes that it wants.
///
/// # Errors
/// Everything that makes no sense.
pub(crate) fn apply(plan: &Plan<'_>, mut disks: Vec<Disk>, given: Vec<GivenDisk>) -> Result<Vec<Disk>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    if given.is_empty() {
        mistakes.push(Mistake::at("", "Node seems not to have disks"));
    }
    let mut seen = BTreeSet::new();
    let boot = given.iter().any(|given| given.bootable == Some(true));
    if boot {
        disks.iter_mut().for_each(|disk| disk.bootable = false);
    }
    for (index, given) in given.into_iter().enumerate() {
        let at = format!("/{index}");
        let Some(disk) = disks.iter_mut().find(|disk| disk.id == given.id) else {
            mistakes.push(Mistake::at(format!("{at}/id"), format!("the node has no disk '{}'", given.id)));
            continue;
        };
        if !seen.insert(given.id.clone()) {
            mistakes.push(Mistake::at(format!("{at}/id"), format!("the disk '{}' is named twice", given.id)));
            continue;
        }
        disk.bootable = given.bootable.unwrap_or(disk.bootable);
        mistakes.extend(apply_to_disk(disk, given, &at));
    }
    // What it has comes from a larger disk, or from fewer volumes: it does not fit any more.
    let overfull = disks.iter().filter(|disk| !seen.contains(&disk.id) && disk.taken() > disk.size);
    mistakes.extend(overfull.map(|disk| Mistake::at("", no_space(disk))));
    mistakes.extend(keep_data_differs(&disks));
    let bootable: Vec<&str> = disks.iter().filter(|disk| disk.bootable).map(|disk| disk.id.as_str()).collect();
    if bootable.len() > 1 {
        let detail = format!(
            "Disks {} can not be selected as bootable at the same time. Only one disk should be selected as bootable.",
            bootable.join(", ")
        );
        mistakes.push(Mistake::at("", detail));
    }
    if plan.splits_the_system(&disks) {
        mistakes.push(Mistake::at("", "Base system should be allocated on one disk only"));
    }
    if mistakes.is_empty() { Ok(disks) } else { Err(mistakes) }
}

fn apply_to_disk(disk: &mut Disk, given: GivenDisk, at: &str) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut seen = BTreeSet::new();
    let wanted = given.volumes.iter().fold(0, |sum: u64, part| sum.saturating_add(part.size));
    for (index, given) in given.volumes.into_iter().enumerate() {
        let at = format!("{at}/volumes/{index}/name");
        let Some(part) = disk.volumes.iter_mut().find(|part| part.name == given.name) else {
            mistakes.push(Mistake::at(at, format!("no role of the node wants the volume '{}'", given.name)));
            continue;
        };
        if !seen.insert(given.name.clone()) {
            mistakes.push(Mistake::at(at, format!("the volume '{}' is named twice", given.name)));
            continue;
        }
        (part.size, part.keep_data) = (given.size, given.keep_data);
    }
    if disk.taken() > disk.size || wanted > given.size {
        mistakes.push(Mistake::at(format!("{at}/volumes"), no_space(disk)));
    }
    mistakes
}

fn no_space(disk: &Disk) -> String {
    format!("Not enough free space on disk: {}", disk.id)
}

/// Data that are kept on one disk of a volume and lost on another are lost. A part without size has none.
fn keep_data_differs(disks: &[Disk]) -> Option<Mistake> {
    let mut kept: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for part in disks.iter().flat_map(|disk| &disk.volumes).filter(|part| part.size > 0 || part.keep_data) {
        kept.entry(&part.name).or_default().insert(part.keep_data);
    }
    let differing: Vec<&str> = kept.into_iter().filter(|(_, kept)| kept.len() > 1).map(|(name, _)| name).collect();
    (!differing.is_empty()).then(|| {
        let names = differing.join(", ");
        Mistake::at(
            "",
            format!("All volumes with the same name should have the same value for `keep_data` flag, incorrect volumes: {names}"),
        )
    })
}
