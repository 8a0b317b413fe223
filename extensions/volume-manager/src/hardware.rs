//! What a layout needs to know of the machine: its disks and its memory, read out of what the agent reported.

use rivetgun::prelude::*;
use std::collections::BTreeSet;

const MIB: u32 = 20;

/// The disks of a node, by name, and its memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Hardware {
    pub(crate) disks: Vec<HardDisk>,
    /// In MiB, where it is known.
    pub(crate) memory: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HardDisk {
    pub(crate) id: String,
    pub(crate) name: String,
    /// In MiB.
    pub(crate) size: u64,
    /// Other paths to it.
    pub(crate) extra: Vec<String>,
}

impl Hardware {
    /// Reads `meta` of a node. Disks that can be taken out are left out.
    ///
    /// # Errors
    /// When the disks make no sense: everything that does not, at once.
    pub(crate) fn of(meta: &Object) -> Result<Self> {
        let mut mistakes = Vec::new();
        let mut disks = Vec::new();
        match meta.get("disks") {
            None | Some(Value::Null) => {}
            Some(Value::Array(listed)) => {
                for (index, disk) in listed.iter().enumerate().filter(|(_, disk)| !is_removable(disk)) {
                    match HardDisk::of(disk) {
                        Ok(disk) => disks.push(disk),
                        Err(detail) => mistakes.push(format!("meta.disks[{index}]{detail}")),
                    }
                }
            }
            Some(_) => mistakes.push("meta.disks is not a list".to_owned()),
        }
        let mut seen = BTreeSet::new();
        let repeated = disks.iter().filter(|disk| !seen.insert(&disk.id));
        mistakes.extend(repeated.map(|disk| format!("meta.disks has the disk {} twice", disk.id)));
        if !mistakes.is_empty() {
            return Err(Error::invalid(mistakes.join("; ")));
        }
        disks.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let memory = meta.get("memory").and_then(|memory| memory.get("total")?.as_u64()).filter(|bytes| *bytes > 0);
        Ok(Self { disks, memory: memory.map(|bytes| bytes >> MIB) })
    }
}

impl HardDisk {
    fn of(disk: &Value) -> Result<Self, String> {
        let text = |key: &str| disk.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id = text("disk").or_else(|| text("name")).ok_or(" has neither `disk` nor `name`")?;
        let size = &disk["size"];
        let bytes = size.as_u64().ok_or_else(|| format!(".size is {size}, and not a number of bytes"))?;
        let extra = disk.get("extra").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(Self {
            id: id.to_owned(),
            name: text("name").unwrap_or(id).to_owned(),
            size: bytes >> MIB,
            extra: extra.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

/// Agents of different ages say it as `"1"`, `1` and `true`.
fn is_removable(disk: &Value) -> bool {
    match disk.get("removable") {
        Some(Value::String(text)) => text == "1",
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::Bool(removable)) => *removable,
        _ => false,
    }
}
