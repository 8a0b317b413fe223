//! The simple form of a layout: disks with volumes, as people see and edit it. Sizes are in MiB.

use serde::Serialize;

/// A disk of a node, with what is on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// The path by which it is known, `disk/by-path/…`.
    pub id: String,
    /// Its name, `sda`.
    pub name: String,
    /// How much of it volumes can have: without what is reserved for booting and for the metadata of LVM.
    pub size: u64,
    /// Whether the node starts from it.
    pub bootable: bool,
    /// Other paths to it.
    pub extra: Vec<String>,
    /// What is on it.
    pub volumes: Vec<Part>,
}

/// What a disk has of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The id of the volume: `os`.
    pub name: String,
    /// How much of the disk is the volume's; 0 where it has nothing here.
    pub size: u64,
    /// Whether provisioning leaves what is in it.
    pub keep_data: bool,
}

impl Disk {
    /// How much of it volumes have.
    #[must_use]
    pub fn taken(&self) -> u64 {
        // What a person typed is added up here before it is refused.
        self.volumes.iter().fold(0, |sum, part| sum.saturating_add(part.size))
    }

    /// How much of it nobody has.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.size.saturating_sub(self.taken())
    }

    /// How much of it a volume has.
    #[must_use]
    pub fn size_of(&self, volume: &str) -> u64 {
        self.volumes.iter().filter(|part| part.name == volume).map(|part| part.size).sum()
    }
}
