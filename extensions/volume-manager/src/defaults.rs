//! The volumes and roles that are built in. They are those of Nailgun's release of OpenStack.

use crate::settings::{
    Allocate::{self, All, FullDisk, Min},
    LogicalVolume, Partition, Share, Volume, Want,
};
use std::collections::BTreeMap;

/// The role whose volumes a node gets when none of its roles is known.
pub(crate) const OTHER: &str = "other";

/// The volume that the system is on.
pub(crate) const SYSTEM: &str = "os";

pub(crate) fn volumes() -> BTreeMap<String, Volume> {
    let swap = LogicalVolume { size: Share::Swap, ..logical("swap", "swap", "swap") };
    let image = group("Image Storage", 5 * 1024, vec![logical("glance", "/var/lib/glance", "xfs")]);
    let volumes = [
        (SYSTEM, Volume { min_size: None, ..group("Base System", 0, vec![logical("root", "/", "ext4"), swap]) }),
        ("logs", group("Logs", 10 * 1024, vec![logical("log", "/var/log", "ext4")])),
        ("mysql", group("Mysql Database", 20 * 1024, vec![logical("root", "/var/lib/mysql", "ext4")])),
        ("horizon", group("Horizon Temp Storage", 11 * 1024, vec![logical("horizontmp", "/var/lib/horizon", "xfs")])),
        ("image", Volume { unless: Some("storage.images_ceph".to_owned()), ..image }),
        ("vm", group("Virtual Storage", 5 * 1024, vec![logical("nova", "/var/lib/nova", "xfs")])),
        ("mongo", group("MongoDB", 10 * 1024, vec![logical("mongodb", "/var/lib/mongo", "ext4")])),
        ("cinder", group("Cinder", 1536, Vec::new())),
        ("cinder-block-device", group("Cinder Block Device", 1536, Vec::new())),
        // Its journal on it takes 2 GiB.
        ("ceph", partition("Ceph", 3 * 1024, "4fbd7e29-9d25-41b8-afd0-062c0ceff05d")),
        ("cephjournal", partition("Ceph Journal", 0, "45b0969e-9b03-4f30-b4c6-b4b80ceff106")),
    ];
    volumes.into_iter().map(|(id, volume)| (id.to_owned(), volume)).collect()
}

pub(crate) fn roles() -> BTreeMap<String, Vec<Want>> {
    let roles: [(&str, &[(&str, Allocate)]); 12] = [
        ("controller", &[("os", Min), ("logs", Min), ("image", All), ("mysql", Min), ("horizon", Min)]),
        ("compute", &[("os", Min), ("vm", All)]),
        ("virt", &[("os", Min), ("vm", All)]),
        ("compute-vmware", &[("os", Min)]),
        ("cinder", &[("os", Min), ("cinder", All)]),
        ("cinder-vmware", &[("os", Min)]),
        ("cinder-block-device", &[("os", Min), ("cinder-block-device", FullDisk)]),
        ("ceph-osd", &[("os", Min), ("cephjournal", Min), ("ceph", FullDisk)]),
        ("mongo", &[("os", Min), ("mongo", All)]),
        ("ironic", &[("os", Min), ("logs", Min)]),
        ("base-os", &[("os", Min)]),
        (OTHER, &[("os", All)]),
    ];
    let want = |&(volume, allocate): &(&str, Allocate)| Want { volume: volume.to_owned(), allocate };
    roles.into_iter().map(|(role, wants)| (role.to_owned(), wants.iter().map(want).collect())).collect()
}

fn group(label: &str, min_size: u32, logical_volumes: Vec<LogicalVolume>) -> Volume {
    Volume { label: label.to_owned(), min_size: Some(min_size), unless: None, partition: None, logical_volumes }
}

fn logical(name: &str, mount: &str, file_system: &str) -> LogicalVolume {
    let [name, mount, file_system] = [name, mount, file_system].map(str::to_owned);
    LogicalVolume { name, mount, file_system, size: Share::Rest }
}

fn partition(label: &str, min_size: u32, guid: &str) -> Volume {
    let none = || "none".to_owned();
    let partition = Partition { mount: none(), file_system: none(), guid: Some(guid.to_owned()) };
    Volume { partition: Some(partition), ..group(label, min_size, Vec::new()) }
}
