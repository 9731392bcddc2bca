//! Disks with first-boot data: NoCloud (label `cidata`) and ConfigDrive (label `config-2`), as a CD, a disk or a partition.
//!
//! Disks are found by their label, mounted read-only for as long as their few files are read, and never written to. A
//! drive that is empty or can't be read is silent, since nothing says that it is one of these.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::fault::{Fault, Problem};
use super::label::{self, FileSystem};
use super::machine::read_bounded;
use super::text::ENCODED_BYTES_MAX;
use super::{Answer, Machine, Options, configdrive, nocloud};

const BLOCK_DEVICES: &str = "sys/class/block";
/// Where a disk is mounted while it is read.
const MOUNT_POINT: &str = "run/weir-first-boot";
/// The most disks and partitions that are looked at.
const DISKS_MAX: usize = 256;

/// What no first-boot data comes on. An empty floppy drive takes seconds to say that it is empty.
const NOT_LOOKED_AT: &[&str] = &["fd", "loop", "ram", "zram", "nbd", "dm-", "md"];

/// One of a disk's files: a path in it, to what is there; None where there is none.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Option<Vec<u8>>>;

/// The kinds of disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NoCloud,
    ConfigDrive,
}

impl Kind {
    fn has_label(self, label: &str) -> bool {
        let wanted = match self {
            Self::NoCloud => "cidata",
            Self::ConfigDrive => "config-2",
        };
        label.eq_ignore_ascii_case(wanted)
    }

    fn read(self, machine: &Machine, place: &str, file: ReadFile<'_>) -> Answer {
        match self {
            Self::NoCloud => nocloud::read(machine, place, file),
            Self::ConfigDrive => configdrive::read(place, file),
        }
    }
}

/// Reads the first disk of this kind.
pub(super) fn ask(kind: Kind, machine: &Machine, options: &Options<'_>) -> Answer {
    let names = names(machine);
    let disks = names.iter().filter_map(|name| Some((name, start_of(machine, name)?)));
    let mut labelled = disks.filter_map(|(name, start)| Some((name, label::read(&start)?)));
    let Some((name, (file_system, label))) = labelled.find(|(_, (_, label))| kind.has_label(label)) else {
        return Answer::default();
    };
    let place = format!("/dev/{} ({label})", node(name));
    match Mounted::new(machine, name, file_system, options) {
        Ok(mounted) => kind.read(machine, &place, &|path| mounted.read(path)),
        Err(error) => {
            Answer { found: None, faults: vec![Fault::new(&place, mount_problem(file_system, &error))] }
        }
    }
}

/// The disks and partitions that are worth a look.
pub(super) fn names(machine: &Machine) -> Vec<String> {
    let mut names = machine.names(BLOCK_DEVICES);
    names.retain(|name| {
        let rest = |prefix: &&str| name.strip_prefix(*prefix);
        NOT_LOOKED_AT
            .iter()
            .filter_map(rest)
            .all(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
    });
    names.truncate(DISKS_MAX);
    names
}

/// A device's path below `/dev`; the kernel writes its slashes differently in `/sys`.
fn node(name: &str) -> String {
    name.replace('!', "/")
}

fn start_of(machine: &Machine, name: &str) -> Option<Vec<u8>> {
    let file = File::open(machine.path(&format!("dev/{}", node(name)))).ok()?;
    let mut start = Vec::with_capacity(label::BYTES);
    // A disk shorter than that has a label all the same, if it is FAT.
    file.take(label::BYTES as u64).read_to_end(&mut start).ok()?;
    Some(start)
}

fn mount_problem(file_system: FileSystem, error: &io::Error) -> Problem {
    let name = file_system.name();
    if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) {
        return Problem::Unreadable(format!("this kernel has no {name} (its module is not in the image)"));
    }
    Problem::Unreadable(format!("mounting its {name} failed: {error}; make the disk anew"))
}

/// A mounted disk, unmounted with it.
struct Mounted<'m>(&'m Machine);

impl<'m> Mounted<'m> {
    fn new(
        machine: &'m Machine,
        name: &str,
        file_system: FileSystem,
        options: &Options<'_>,
    ) -> io::Result<Self> {
        for module in file_system.modules() {
            (options.load_module)(module);
        }
        let point = machine.path(MOUNT_POINT);
        std::fs::create_dir_all(&point)?;
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let device = machine.path(&format!("dev/{}", node(name)));
        mount(&device, &point, file_system.name(), flags, None)?;
        Ok(Self(machine))
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let point = self.0.path(MOUNT_POINT);
        read_bounded(&Path::new(&point).join(path), ENCODED_BYTES_MAX)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let point = self.0.path(MOUNT_POINT);
        // Detached, it goes as soon as nobody reads; an empty folder that stays harms nobody.
        let _ = unmount(&point, UnmountFlags::DETACH);
        let _ = std::fs::remove_dir(&point);
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::Folder;
    use super::*;

    #[test]
    fn floppies_and_loops_are_not_looked_at() {
        let folder = Folder::new("disks");
        let folder = ["fd0", "loop1", "md0", "mdisk", "sda", "sr0", "vda1"]
            .iter()
            .fold(folder, |folder, name| folder.with(&format!("{BLOCK_DEVICES}/{name}/dev"), ""));
        assert_eq!(names(&folder.machine()), ["mdisk", "sda", "sr0", "vda1"]);
    }

    #[test]
    fn a_disk_that_can_not_be_mounted_is_a_fault_and_others_are_silent() {
        let folder = Folder::new("mount")
            .with(&format!("{BLOCK_DEVICES}/sda/dev"), "")
            .with(&format!("{BLOCK_DEVICES}/sr0/dev"), "")
            .with("dev/sda", [0; 512])
            .with("dev/sr0", label::tests::iso_start("CIDATA"));
        let machine = folder.machine();
        assert_eq!(ask(Kind::ConfigDrive, &machine, &Options::default()), Answer::default());
        // A plain file is no device, whoever asks.
        let answer = ask(Kind::NoCloud, &machine, &Options::default());
        assert_eq!((answer.found, answer.faults.len()), (None, 1));
        assert_eq!(answer.faults[0].place, "/dev/sr0 (CIDATA)");
    }
}
