//! Disks with first-boot data: NoCloud (label `cidata`) and ConfigDrive (label `config-2`), as a CD, a disk or a partition.
//!
//! Disks are found by their label, mounted read-only for as long as their few files are read, and never written to. A
//! drive that is empty or can't be read is silent, since nothing says that it is one of these.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::fault::{Fault, Problem};
use super::label::{self, FileSystem};
use super::machine::read_bounded;
use super::text::ENCODED_BYTES_MAX;
use super::{Answer, Asking, Machine, Options, configdrive, nocloud};

const BLOCK_DEVICES: &str = "sys/class/block";
/// Where a disk is mounted while it is read.
const MOUNT_POINT: &str = "run/weir-first-boot";
/// The most disks and partitions that are looked at.
const DISKS_MAX: usize = 256;

/// What no first-boot data comes on. An empty floppy drive takes seconds to say that it is empty.
const NOT_LOOKED_AT: &[&str] = &["fd", "loop", "ram", "zram", "nbd", "dm-", "md"];

/// What the kernel gives as the size of a CD drive without a CD (`sr.c`), once it was opened; no CD has an odd number.
const EMPTY_DRIVE_SECTORS: &str = "2097151";

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

/// A disk with a file system on which first-boot data may come.
pub(super) struct Labelled {
    name: String,
    file_system: FileSystem,
    label: String,
}

/// Reads the first disk of this kind.
pub(super) fn ask(kind: Kind, asking: &Asking<'_>) -> Answer {
    let machine = asking.machine;
    let labelled = asking.labelled.get_or_init(|| labelled(machine));
    let Some(disk) = labelled.iter().find(|disk| kind.has_label(&disk.label)) else {
        return Answer::default();
    };
    let place = format!("/dev/{} ({})", node(&disk.name), disk.label);
    match Mounted::new(machine, disk, asking.options) {
        Ok(mounted) => kind.read(machine, &place, &|path| mounted.read(path)),
        Err(error) => {
            Answer { found: None, faults: vec![Fault::new(&place, mount_problem(disk.file_system, &error))] }
        }
    }
}

fn labelled(machine: &Machine) -> Vec<Labelled> {
    let names = names(machine).into_iter();
    let labelled = names.filter_map(|name| {
        let (file_system, label) = label::read(&start_of(machine, &name)?)?;
        Some(Labelled { name, file_system, label })
    });
    labelled.collect()
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

/// What finds its disks in the background, long after its driver is there. Of the others, loading the driver waits for
/// them: the kernel ends all asynchronous probes before a module counts as loaded (`do_init_module`).
const LATE: &[(&str, &str)] = &[
    ("sys/class/nvme", "namespaces are looked for by a worker"),
    ("sys/class/sas_host", "disks are reported by the controller's firmware as they wake"),
    ("sys/class/fc_host", "the fabric is asked"),
    ("sys/bus/usb/drivers/usb-storage", "a stick is left alone for a second after it was plugged in"),
    ("sys/bus/usb/drivers/uas", "the same"),
    ("sys/bus/vmbus/devices", "the host offers them one by one"),
    ("sys/bus/xen/devices", "the back end has to answer"),
];
const SCSI_DEVICES: &str = "sys/bus/scsi/devices";

/// Whether a disk may still appear by itself.
pub(super) fn may_come(machine: &Machine) -> bool {
    let is_late = |(place, _): &(&str, &str)| !machine.names(place).is_empty();
    LATE.iter().any(is_late) || machine.names(SCSI_DEVICES).iter().any(|device| is_unclaimed(machine, device))
}

/// Whether a disk or a CD drive (types 0, 5 and 7 of SPC) waits for its driver, `sd_mod` or `sr_mod`.
fn is_unclaimed(machine: &Machine, device: &str) -> bool {
    let folder = format!("{SCSI_DEVICES}/{device}");
    let kind = machine.line(&format!("{folder}/type"));
    let is_disk = kind.is_some_and(|kind| matches!(kind.as_str(), "0" | "5" | "7"));
    is_disk && machine.names(&format!("{folder}/block")).is_empty()
}

/// A device's path below `/dev`; the kernel writes its slashes differently in `/sys`.
fn node(name: &str) -> String {
    name.replace('!', "/")
}

fn start_of(machine: &Machine, name: &str) -> Option<Vec<u8>> {
    // Otherwise opening an empty CD drive closes its tray and asks it again and again, for a second or two.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let path = machine.path(&format!("dev/{}", node(name)));
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).ok()?;
    let size = machine.line(&format!("{BLOCK_DEVICES}/{name}/size"));
    if name.starts_with("sr") && size.as_deref() == Some(EMPTY_DRIVE_SECTORS) {
        return None;
    }
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
    fn new(machine: &'m Machine, disk: &Labelled, options: &Options<'_>) -> io::Result<Self> {
        let file_system = disk.file_system;
        for module in file_system.modules() {
            (options.load_module)(module);
        }
        let point = machine.path(MOUNT_POINT);
        std::fs::create_dir_all(&point)?;
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let device = machine.path(&format!("dev/{}", node(&disk.name)));
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
    fn a_disk_is_waited_for_as_long_as_one_may_come() {
        let folder = Folder::new("may-come");
        assert!(!may_come(&folder.machine()));
        let folder = folder.with(&format!("{SCSI_DEVICES}/0:0:0:0/type"), "5\n");
        assert!(may_come(&folder.machine()));
        let folder = folder.with(&format!("{SCSI_DEVICES}/0:0:0:0/block/sr0/size"), "");
        assert!(!may_come(&folder.machine()));
        let folder = folder.with("sys/class/nvme/nvme0/model", "");
        assert!(may_come(&folder.machine()));
    }

    #[test]
    fn a_disk_that_can_not_be_mounted_is_a_fault_and_others_are_silent() {
        let folder = Folder::new("mount")
            .with(&format!("{BLOCK_DEVICES}/sda/dev"), "")
            .with(&format!("{BLOCK_DEVICES}/sr0/dev"), "")
            .with("dev/sda", [0; 512])
            .with("dev/sr0", label::tests::iso_start("CIDATA"));
        let (machine, options) = (folder.machine(), Options::default());
        let asking = Asking::new(&machine, &options);
        assert_eq!(ask(Kind::ConfigDrive, &asking), Answer::default());
        // A plain file is no device, whoever asks.
        let answer = ask(Kind::NoCloud, &asking);
        assert_eq!((answer.found, answer.faults.len()), (None, 1));
        assert_eq!(answer.faults[0].place, "/dev/sr0 (CIDATA)");
    }
}
