//! The section `[extensions.volume_manager]`: which volumes there are, and which of them a role wants. Sizes are in MiB.

use crate::defaults;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The section `[extensions.volume_manager]`; the README of the crate tells more.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Given")]
pub struct VolumeSettings {
    pub(crate) boot_records: u32,
    pub(crate) boot: u32,
    pub(crate) lvm_meta: u32,
    pub(crate) root: Root,
    pub(crate) swap_of_unknown_memory: u32,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) roles: BTreeMap<String, Vec<Want>>,
}

/// How large the root of the system is: a part of the first disk, within bounds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
pub(crate) struct Root {
    pub(crate) percent: u8,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

/// A volume: a group of logical volumes, or (`partition`) a bare partition.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Volume {
    pub(crate) label: String,
    /// Absent: what the system needs, its root and its swap.
    #[serde(default)]
    pub(crate) min_size: Option<u32>,
    /// The attribute of the cluster, `storage.images_ceph`, that makes it needless where it is `true`.
    #[serde(default)]
    pub(crate) unless: Option<String>,
    #[serde(default)]
    pub(crate) partition: Option<Partition>,
    #[serde(default)]
    pub(crate) logical_volumes: Vec<LogicalVolume>,
}

/// What is on a bare partition.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Partition {
    pub(crate) mount: String,
    pub(crate) file_system: String,
    #[serde(default)]
    pub(crate) guid: Option<String>,
}

/// A logical volume of a group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LogicalVolume {
    pub(crate) name: String,
    pub(crate) mount: String,
    pub(crate) file_system: String,
    #[serde(default)]
    pub(crate) size: Share,
}

/// How much of its group a logical volume gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Share {
    /// What the others leave.
    #[default]
    Rest,
    /// As much swap as the memory of the node wants.
    Swap,
}

/// A volume that a role wants.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Want {
    pub(crate) volume: String,
    pub(crate) allocate: Allocate,
}

/// How much a volume gets by default. Those that are content with little choose first: this is the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Allocate {
    /// Its least size.
    Min,
    /// Each disk that nothing else is on; of a node with one disk, what is left of it.
    FullDisk,
    /// All that is left, shared with others of this kind.
    All,
}

/// The section as it is written: volumes and roles that are named in it stand beside the built-in ones, or in their place.
#[derive(Deserialize)]
#[serde(default)]
struct Given {
    boot_records: u32,
    boot: u32,
    lvm_meta: u32,
    root: Root,
    swap_of_unknown_memory: u32,
    volumes: BTreeMap<String, Volume>,
    roles: BTreeMap<String, Vec<Want>>,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            boot_records: 300,
            boot: 200,
            lvm_meta: 64,
            root: Root::default(),
            swap_of_unknown_memory: 4096,
            volumes: BTreeMap::new(),
            roles: BTreeMap::new(),
        }
    }
}

impl Default for Root {
    fn default() -> Self {
        Self { percent: 20, min: 15 * 1024, max: 50 * 1024 }
    }
}

impl Volume {
    /// What of it cannot be made: parts that are to have the same space.
    fn mistakes(&self, id: &str) -> Vec<String> {
        let count = |share| self.logical_volumes.iter().filter(|logical| logical.size == share).count();
        let mut mistakes = Vec::new();
        for (share, word) in [(Share::Rest, "rest"), (Share::Swap, "swap")] {
            if count(share) > 1 {
                mistakes.push(format!(
                    "the volume `{id}` has several logical volumes of the size `{word}`, which one can have: give it to one, \
                     and make volumes of their own of the others"
                ));
            }
        }
        if self.partition.is_some() && !self.logical_volumes.is_empty() {
            mistakes.push(format!("the volume `{id}` has `partition` and `logical_volumes`: leave one of them out"));
        }
        mistakes
    }
}

impl TryFrom<Given> for VolumeSettings {
    type Error = String;

    fn try_from(given: Given) -> Result<Self, String> {
        let (mut volumes, mut roles) = (defaults::volumes(), defaults::roles());
        volumes.extend(given.volumes);
        roles.extend(given.roles);
        let wants = roles.iter().flat_map(|(role, wants)| wants.iter().map(move |want| (role, &want.volume)));
        let mut mistakes: Vec<String> = wants
            .filter(|(_, volume)| !volumes.contains_key(*volume))
            .map(|(role, volume)| {
                format!("the role `{role}` wants the volume `{volume}`, which is not described in `volumes`")
            })
            .collect();
        mistakes.extend(volumes.iter().flat_map(|(id, volume)| volume.mistakes(id)));
        if given.root.min > given.root.max {
            mistakes.push("`root.min` is greater than `root.max`".to_owned());
        }
        if given.root.percent > 100 {
            mistakes.push("`root.percent` is greater than 100".to_owned());
        }
        if !mistakes.is_empty() {
            return Err(mistakes.join("; "));
        }
        let Given { boot_records, boot, lvm_meta, root, swap_of_unknown_memory, .. } = given;
        Ok(Self { boot_records, boot, lvm_meta, root, swap_of_unknown_memory, volumes, roles })
    }
}
