//! What a node wants and has, and the layout that follows from it. Plain arithmetic, in MiB.

use crate::{
    defaults::{OTHER, SYSTEM},
    disk::{Disk, Part},
    hardware::{HardDisk, Hardware},
    settings::{Allocate, Share, Volume, VolumeSettings},
};
use rivetgun::prelude::*;

/// All that the layout of a node is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    pub(crate) settings: &'a VolumeSettings,
    pub(crate) hardware: Hardware,
    /// In the order of the node's roles, and of what these say.
    pub(crate) wanted: Vec<Wanted<'a>>,
    /// Whether the volume of the system must be on one disk.
    pub(crate) one_system_disk: bool,
}

/// A volume that a node wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) id: &'a str,
    pub(crate) volume: &'a Volume,
    pub(crate) allocate: Allocate,
}

/// What of a disk is not for volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) boot_records: u64,
    pub(crate) boot: u64,
    /// Room for the metadata of each volume group that may come to the disk.
    pub(crate) lvm_meta: u64,
}

impl Reserved {
    pub(crate) fn total(self) -> u64 {
        self.boot_records + self.boot + self.lvm_meta
    }
}

/// The volumes that a node wants, in a cluster with these attributes. Outside of a cluster it wants none.
pub(crate) fn wanted_by<'a>(settings: &'a VolumeSettings, node: &Node, attributes: &Object) -> Vec<Wanted<'a>> {
    match node.cluster {
        Some(_) => wanted(settings, &node.all_roles(), attributes),
        None => Vec::new(),
    }
}

/// The volumes that roles want: those of each role that is known, or else those of `other`.
pub(crate) fn wanted<'a>(settings: &'a VolumeSettings, roles: &[String], attributes: &Object) -> Vec<Wanted<'a>> {
    let mut wants: Vec<_> = roles.iter().filter_map(|role| settings.roles.get(kind_of(role))).flatten().collect();
    if wants.is_empty() {
        wants.extend(settings.roles.get(OTHER).into_iter().flatten());
    }
    let mut wanted: Vec<Wanted<'a>> = Vec::new();
    for want in wants {
        let Some((id, volume)) = settings.volumes.get_key_value(&want.volume) else { continue };
        let needless = volume.unless.as_ref().is_some_and(|path| is_true(attributes, path));
        if !needless && !wanted.iter().any(|wanted| wanted.id == id) {
            wanted.push(Wanted { id, volume, allocate: want.allocate });
        }
    }
    wanted
}

/// The first controller of a cluster is a `primary-controller`, and a controller.
pub(crate) fn kind_of(role: &str) -> &str {
    role.strip_prefix("primary-").unwrap_or(role)
}

fn is_true(attributes: &Object, path: &str) -> bool {
    let mut keys = path.split('.');
    let first = keys.next().and_then(|key| attributes.get(key));
    keys.try_fold(first, |value, key| Some(value?.get(key))).flatten() == Some(&Value::Bool(true))
}

impl<'a> Plan<'a> {
    /// The plan for a node in a cluster with these attributes.
    ///
    /// # Errors
    /// When its disks make no sense.
    pub(crate) fn of(settings: &'a VolumeSettings, node: &Node, attributes: &Object) -> Result<Self> {
        Ok(Self::new(settings, Hardware::of(&node.meta)?, wanted_by(settings, node, attributes)))
    }

    pub(crate) fn new(settings: &'a VolumeSettings, hardware: Hardware, mut wanted: Vec<Wanted<'a>>) -> Self {
        if hardware.disks.len() == 1 {
            for wanted in wanted.iter_mut().filter(|wanted| wanted.allocate == Allocate::FullDisk) {
                wanted.allocate = Allocate::All;
            }
        }
        Self { settings, hardware, wanted, one_system_disk: false }
    }

    /// The layout that nobody has edited.
    pub(crate) fn default_disks(&self) -> Vec<Disk> {
        let mut disks: Vec<Disk> = self.hardware.disks.iter().map(|disk| self.empty(disk)).collect();
        if let Some(first) = disks.iter_mut().find(|disk| disk.size > 0) {
            first.bootable = true;
        }
        for wanted in self.allocated(Allocate::Min) {
            self.spread(&mut disks, wanted, self.min_size(wanted.volume));
        }
        for wanted in self.allocated(Allocate::FullDisk) {
            let only = self.only_disk(&disks, wanted);
            for (index, disk) in disks.iter_mut().enumerate() {
                let is_its_own = disk.taken() == 0 && only.is_none_or(|only| only == index);
                disk.put(wanted.id, if is_its_own { disk.free() } else { 0 });
            }
        }
        let hungry: Vec<_> = self.allocated(Allocate::All).collect();
        let share = disks.iter().map(Disk::free).sum::<u64>() / hungry.len().max(1) as u64;
        if let Some((last, others)) = hungry.split_last() {
            for wanted in others {
                self.spread(&mut disks, wanted, share);
            }
            self.spread(&mut disks, last, u64::MAX);
        }
        disks
    }

    /// The volumes that are wanted now on the disks that are there now, each as large as `known` has it. Where the disk is gone
    /// from which the node started, it starts from the one that it would if nobody had edited it.
    pub(crate) fn fitted(&self, known: &[Disk]) -> Vec<Disk> {
        let mut disks = self.default_disks();
        let is_there = |known: &Disk| disks.iter().any(|disk| disk.id == known.id);
        let boot_is_gone = known.iter().any(|known| known.bootable && !is_there(known));
        for disk in &mut disks {
            let known = known.iter().find(|known| known.id == disk.id);
            if !boot_is_gone {
                disk.bootable = known.is_some_and(|known| known.bootable);
            }
            for part in &mut disk.volumes {
                let known = known.and_then(|known| known.volumes.iter().find(|known| known.name == part.name));
                (part.size, part.keep_data) = known.map_or((0, false), |known| (known.size, known.keep_data));
            }
        }
        disks
    }

    /// Whether every volume that is wanted has its least size, and all disks that are to hold something are there and hold it: a
    /// layout is sent as a whole.
    pub(crate) fn suffices(&self, disks: &[Disk]) -> bool {
        let holds = |disk: &Disk| {
            let found = self.hardware.disks.iter().find(|found| found.id == disk.id);
            disk.taken() == 0 || found.is_some_and(|found| disk.taken() <= self.empty(found).size)
        };
        !self.hardware.disks.is_empty()
            && disks.iter().all(holds)
            && self.wanted.iter().all(|wanted| {
                let size: u64 = disks.iter().map(|disk| disk.size_of(wanted.id)).sum();
                size >= self.min_size(wanted.volume)
            })
    }

    /// Whether the system is on several disks, and must not be.
    pub(crate) fn splits_the_system(&self, disks: &[Disk]) -> bool {
        self.one_system_disk && disks.iter().filter(|disk| disk.size_of(SYSTEM) > 0).count() > 1
    }

    /// The least size of a volume.
    pub(crate) fn min_size(&self, volume: &Volume) -> u64 {
        volume.min_size.map_or_else(|| self.root() + self.swap(), u64::from)
    }

    /// The sizes of the logical volumes of a group of this size, in their order.
    pub(crate) fn logical_sizes(&self, volume: &Volume, total: u64) -> Vec<u64> {
        let fixed = |size: Share| if size == Share::Swap { self.swap().min(total) } else { 0 };
        let rest = total.saturating_sub(volume.logical_volumes.iter().map(|logical| fixed(logical.size)).sum());
        let size = |share| if share == Share::Rest { rest } else { fixed(share) };
        volume.logical_volumes.iter().map(|logical| size(logical.size)).collect()
    }

    /// What of a disk is reserved. What does not fit is left out.
    pub(crate) fn reserved(&self, disk: &HardDisk) -> Reserved {
        let mut free = disk.size;
        let mut take = |size: u64| {
            let size = if size <= free { size } else { 0 };
            free -= size;
            size
        };
        let groups = self.wanted.iter().filter(|wanted| wanted.volume.partition.is_none()).count() as u64;
        Reserved {
            boot_records: take(self.settings.boot_records.into()),
            boot: take(self.settings.boot.into()),
            lvm_meta: take(u64::from(self.settings.lvm_meta) * groups),
        }
    }

    fn empty(&self, disk: &HardDisk) -> Disk {
        Disk {
            id: disk.id.clone(),
            name: disk.name.clone(),
            size: disk.size - self.reserved(disk).total(),
            bootable: false,
            extra: disk.extra.clone(),
            volumes: Vec::new(),
        }
    }

    fn allocated(&self, allocate: Allocate) -> impl Iterator<Item = &Wanted<'a>> {
        self.wanted.iter().filter(move |wanted| wanted.allocate == allocate)
    }

    /// Puts a volume onto disk after disk, until it has its size. Every disk names it.
    fn spread(&self, disks: &mut [Disk], wanted: &Wanted<'_>, mut size: u64) {
        let only = self.only_disk(disks, wanted);
        for (index, disk) in disks.iter_mut().enumerate() {
            let here = if only.is_none_or(|only| only == index) { size.min(disk.free()) } else { 0 };
            disk.put(wanted.id, here);
            size -= here;
        }
    }

    /// The disk on which a volume has to be, where it must not be on several: the first that holds what it needs, or else the
    /// largest.
    fn only_disk(&self, disks: &[Disk], wanted: &Wanted<'_>) -> Option<usize> {
        if !self.one_system_disk || wanted.id != SYSTEM {
            return None;
        }
        let least = self.min_size(wanted.volume);
        let largest = || disks.iter().map(Disk::free).enumerate().rev().max_by_key(|(_, free)| *free);
        disks.iter().position(|disk| disk.free() >= least).or_else(|| largest().map(|(index, _)| index))
    }

    fn root(&self) -> u64 {
        let root = self.settings.root;
        let size = self.hardware.disks.first().map_or(0, |disk| disk.size * u64::from(root.percent) / 100);
        size.clamp(root.min.into(), root.max.into())
    }

    /// As the installation guide of Red Hat Enterprise Linux 6 recommends it.
    fn swap(&self) -> u64 {
        match self.hardware.memory {
            None => self.settings.swap_of_unknown_memory.into(),
            Some(memory @ ..=2048) => memory * 2,
            Some(memory @ ..=8192) => memory,
            Some(memory @ ..=65536) => memory / 2,
            Some(_) => 4096,
        }
    }
}

impl Disk {
    fn put(&mut self, id: &str, size: u64) {
        self.volumes.push(Part { name: id.to_owned(), size, keep_data: false });
    }
}
