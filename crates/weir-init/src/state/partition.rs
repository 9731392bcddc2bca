//! Where STATE is: by the names that GPT gives its partitions, and on the disk that was booted.
//!
//! A second disk with the same names (a clone attached for repair) must not win. Firmware does not tell which disk it
//! booted, so [`choose`] goes by what differs, then by the order of their places, as firmware does.

use std::path::{Path, PathBuf};

use crate::command_line::Slot;
use crate::grubenv::Environment;
use crate::modules::natural;

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    /// GPT's name for it.
    pub(crate) name: String,
    /// Such as `/dev/vda5`.
    pub(crate) node: PathBuf,
}

/// A disk with a partition STATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Beneath `/sys/devices`, by which disks are ordered.
    pub(crate) place: String,
    pub(crate) partitions: Vec<Partition>,
}

impl Disk {
    /// The partition of that name.
    pub(crate) fn partition(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.name == name)
    }
}

/// All disks that have a partition STATE, in the order of their places.
pub(crate) fn disks() -> Vec<Disk> {
    let entries = std::fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let mut disks: Vec<Disk> = Vec::new();
    for entry in entries {
        let Ok(uevent) = std::fs::read_to_string(entry.path().join("uevent")) else { continue };
        let Some(partition) = named(&uevent) else { continue };
        let Some(place) = entry.path().canonicalize().ok().as_deref().and_then(Path::parent).map(text) else {
            continue;
        };
        match disks.iter_mut().find(|disk| disk.place == place) {
            Some(disk) => disk.partitions.push(partition),
            None => disks.push(Disk { place, partitions: vec![partition] }),
        }
    }
    disks.retain(|disk| disk.partition("STATE").is_some());
    disks.sort_by_key(|disk| natural(&disk.place));
    disks
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Reads a block device's `uevent`; None where it has no GPT name.
fn named(uevent: &str) -> Option<Partition> {
    let value = |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Some(Partition { name: value("PARTNAME")?.to_owned(), node: Path::new("/dev").join(value("DEVNAME")?) })
}

/// The disk that was booted, among those that could be. `environment` reads a disk's grubenv.
pub(crate) fn choose(
    disks: &[Disk],
    slot: Option<Slot>,
    mut environment: impl FnMut(&Disk) -> Option<Environment>,
) -> Option<&Disk> {
    if let [] | [_] = disks {
        return disks.first();
    }
    let whole = |disk: &&Disk| ["ESP", "SLOT-A", "SLOT-B"].iter().all(|name| disk.partition(name).is_some());
    // A disk whose boot loader would not have chosen this slot isn't the one.
    let mut would_boot = |disk: &&Disk| {
        let found = environment(disk);
        slot.is_some_and(|slot| found.is_some_and(|found| found.good == slot || found.next == slot))
    };
    let whole: Vec<&Disk> = disks.iter().filter(whole).collect();
    whole.iter().copied().find(|disk| would_boot(disk)).or(whole.first().copied()).or(disks.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(place: &str, names: &[&str]) -> Disk {
        let partition = |name: &&str| Partition { name: (*name).into(), node: format!("/dev/{name}").into() };
        Disk { place: place.into(), partitions: names.iter().map(partition).collect() }
    }

    const WHOLE: &[&str] = &["BIOS", "ESP", "SLOT-A", "SLOT-B", "STATE"];

    fn environment(slot: Slot) -> Environment {
        Environment { good: slot, next: slot, tries: 0 }
    }

    #[test]
    fn reads_the_name_that_gpt_gives() {
        let uevent = "MAJOR=254\nMINOR=5\nDEVNAME=vda5\nDEVTYPE=partition\nPARTN=5\nPARTNAME=STATE\n";
        assert_eq!(named(uevent), Some(Partition { name: "STATE".into(), node: "/dev/vda5".into() }));
        assert_eq!(named("DEVNAME=vda\nDEVTYPE=disk\n"), None);
    }

    #[test]
    fn one_disk_is_the_one() {
        let disks = [disk("a", &["STATE"])];
        assert_eq!(choose(&disks, None, |_| unreachable!()), Some(&disks[0]));
        assert_eq!(choose(&[], Some(Slot::A), |_| None), None);
    }

    #[test]
    fn of_two_the_one_whose_boot_loader_chose_this_slot() {
        let disks = [disk("a", WHOLE), disk("b", WHOLE)];
        let read = |disk: &Disk| Some(environment(if disk.place == "a" { Slot::A } else { Slot::B }));
        assert_eq!(choose(&disks, Some(Slot::B), read), Some(&disks[1]));
        assert_eq!(choose(&disks, Some(Slot::A), read), Some(&disks[0]));
    }

    #[test]
    fn of_two_alike_the_first_and_before_those_that_are_not_whole() {
        let disks = [disk("a", &["STATE"]), disk("b", WHOLE), disk("c", WHOLE)];
        assert_eq!(choose(&disks, Some(Slot::A), |_| Some(environment(Slot::A))), Some(&disks[1]));
        assert_eq!(choose(&disks, None, |_| None), Some(&disks[1]));
        assert_eq!(choose(&disks[..1], None, |_| None), Some(&disks[0]));
    }
}
