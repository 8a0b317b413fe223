//! The full form of a layout, as it is stored and sent: the partitions of each disk, then the volume groups.

use crate::{
    disk::{Disk, Part},
    plan::{Plan, Wanted},
    settings::Allocate,
};
use rivetgun::prelude::*;

impl Plan<'_> {
    /// The full form of a layout that fits the plan. The parts of a disk add up to its size, with what is free.
    pub(crate) fn spaces(&self, disks: &[Disk]) -> Value {
        let groups = self.wanted.iter().filter(|wanted| wanted.volume.partition.is_none());
        let groups = groups.map(|wanted| self.group(wanted, disks));
        disks.iter().filter_map(|disk| self.disk(disk)).chain(groups).collect()
    }

    fn disk(&self, disk: &Disk) -> Option<Value> {
        let found = self.hardware.disks.iter().find(|found| found.id == disk.id)?;
        let reserved = self.reserved(found);
        let lvm_meta = u64::from(self.settings.lvm_meta);
        let mut pool = reserved.lvm_meta;
        let mut parts = Vec::new();
        for part in &disk.volumes {
            let Some(wanted) = self.wanted.iter().find(|wanted| wanted.id == part.name) else { continue };
            let mut shown = match &wanted.volume.partition {
                Some(partition) => json!({
                    "type": "partition", "name": part.name, "size": part.size, "mount": partition.mount,
                    "file_system": partition.file_system, "partition_guid": partition.guid, "disk_label": null,
                }),
                None => {
                    let meta = if part.size > 0 && pool >= lvm_meta { lvm_meta } else { 0 };
                    pool -= meta;
                    json!({"type": "pv", "vg": part.name, "size": part.size + meta, "lvm_meta_size": meta})
                }
            };
            if part.keep_data {
                shown["keep_data"] = true.into();
            }
            parts.push(shown);
        }
        // The system starts from any of several disks.
        let boot = if self.hardware.disks.len() > 1 { "raid" } else { "partition" };
        let mut volumes = vec![
            json!({"type": "boot", "size": reserved.boot_records}),
            json!({"type": boot, "name": "Boot", "mount": "/boot", "file_system": "ext2", "size": reserved.boot}),
            json!({"type": "lvm_meta_pool", "size": pool}),
        ];
        volumes.append(&mut parts);
        Some(json!({
            "type": "disk", "id": disk.id, "name": disk.name, "size": found.size, "free_space": disk.size,
            "bootable": disk.bootable, "extra": disk.extra, "volumes": volumes,
        }))
    }

    fn group(&self, wanted: &Wanted<'_>, disks: &[Disk]) -> Value {
        let Wanted { id, volume, allocate } = wanted;
        let total = disks.iter().map(|disk| disk.size_of(id)).sum();
        let logical = volume.logical_volumes.iter().zip(self.logical_sizes(volume, total)).map(|(logical, size)| {
            json!({
                "type": "lv", "name": logical.name, "mount": logical.mount, "file_system": logical.file_system, "size": size,
            })
        });
        let allocate = match allocate {
            Allocate::Min => "min",
            Allocate::FullDisk => "full-disk",
            Allocate::All => "all",
        };
        json!({
            "type": "vg", "id": id, "label": volume.label, "min_size": self.min_size(volume), "_allocate_size": allocate,
            "volumes": logical.collect::<Value>(),
        })
    }
}

/// The simple form of a full one. It is forgiving: what is stored may come from another time, and another hand.
pub(crate) fn disks(spaces: &Value) -> Vec<Disk> {
    let spaces = spaces.as_array().map(Vec::as_slice).unwrap_or_default();
    spaces.iter().filter(|space| space["type"] == "disk").filter_map(disk).collect()
}

fn disk(space: &Value) -> Option<Disk> {
    let text = |key: &str| space[key].as_str().map(str::to_owned);
    let volumes = space["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let of_volumes =
        |part: &&Value| matches!(part["type"].as_str(), Some("pv" | "partition" | "raid")) && part["mount"] != "/boot";
    let reserved = volumes.iter().filter(|part| !of_volumes(part)).map(|part| number(&part["size"]));
    let reserved =
        reserved.chain(volumes.iter().map(|part| number(&part["lvm_meta_size"]))).fold(0, u64::saturating_add);
    let part = |part: &Value| {
        Some(Part {
            name: part["vg"].as_str().or(part["name"].as_str())?.to_owned(),
            size: number(&part["size"]).saturating_sub(number(&part["lvm_meta_size"])),
            keep_data: part["keep_data"] == true,
        })
    };
    let extra = space["extra"].as_array().map(Vec::as_slice).unwrap_or_default();
    let id = text("id")?;
    Some(Disk {
        name: text("name").unwrap_or_else(|| id.clone()),
        id,
        size: number(&space["size"]).saturating_sub(reserved),
        bootable: space["bootable"] == true,
        extra: extra.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        volumes: volumes.iter().filter(of_volumes).filter_map(part).collect(),
    })
}
