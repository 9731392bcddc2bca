//! STATE, the one partition that is written to: mounted at [`AT`], whatever it takes.
//!
//! There is no mkfs and no e2fsck on board. The journal is replayed by mounting; what is damaged beyond that is replaced by
//! a pristine file system, after what can be read of it was taken aside and is put back. Where the disk can't be used at
//! all, STATE is in memory. The start is never held up by it, and nothing is replaced because a disk or a driver fails to
//! answer.

mod partition;
mod pristine;
mod salvage;
mod superblock;

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde::Serialize;

use crate::files::WEIR;
use salvage::Salvage;
use superblock::Left;

pub(crate) use partition::{Disk, choose, disks};

/// Where STATE is.
pub(crate) const AT: &str = "/state";
/// Bytes below which it counts as full, and logs make room.
const FREE_BYTES_MIN: u64 = 512 << 10;
/// STATE in memory.
const IN_MEMORY: &std::ffi::CStr = c"mode=0755,size=16m";
const FLAGS: MountFlags =
    MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC).union(MountFlags::NOATIME);

/// What STATE came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    /// As it was left.
    Clean,
    /// The journal was replayed.
    Repaired,
    /// Replaced by a pristine one.
    Made,
    /// In memory: what is set now is forgotten when the machine stops.
    Memory,
}

/// STATE, mounted.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) condition: Condition,
    /// None: in memory.
    pub(crate) device: Option<PathBuf>,
    /// What people must know of it.
    pub(crate) notices: Vec<String>,
}

/// STATE can't be used as it is.
#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("can't read {}: {error}", device.display())]
    Unreadable { device: PathBuf, error: io::Error },
    #[error("can't mount {}: {error}", device.display())]
    Unmountable { device: PathBuf, error: Errno },
    #[error("{}: {error}", device.display())]
    Unusable { device: PathBuf, error: io::Error },
    #[error("no pristine STATE to replace it with: {0}")]
    NotMade(#[from] pristine::PristineError),
}

impl StateError {
    /// Whether the file system is to blame, and a new one would help; not a disk that fails, nor a missing driver.
    fn is_damage(&self) -> bool {
        let damaged =
            |error: Errno| matches!(error, Errno::INVAL | Errno::UCLEAN | Errno::BADMSG | Errno::ROFS);
        match self {
            Self::Unmountable { error, .. } => damaged(*error),
            Self::Unusable { error, .. } => Errno::from_io_error(error).is_some_and(damaged),
            Self::Unreadable { .. } | Self::NotMade(_) => false,
        }
    }
}

/// The folders, with whose they are.
const FOLDERS: &[(&str, u32, u32, u32)] = &[
    // The running file: the child keeps what PUT gave it, by renaming.
    ("config", WEIR, WEIR, 0o750),
    // The admin API's key, certificate and token: read by the child, written by us.
    ("admin", 0, WEIR, 0o750),
    // The operator's.
    ("certificates", WEIR, WEIR, 0o750),
    // The child's access log and diagnostics.
    ("log", WEIR, WEIR, 0o750),
    // DHCP's.
    ("leases", 0, 0, 0o700),
];

/// Mounts the STATE of `disk`, or one in memory.
pub(crate) fn open(disk: Option<&Disk>) -> State {
    let mut notices = Vec::new();
    let node = disk.and_then(|disk| disk.partition("STATE")).map(|partition| partition.node.clone());
    let opened = node.map(|node| (open_device(&node, &mut notices), node));
    let (condition, device) = match opened {
        Some((Ok(condition), node)) => (condition, Some(node)),
        Some((Err(error), _)) => {
            notices.push(format!("STATE is in memory, and forgotten when the machine stops: {error}"));
            (in_memory(&mut notices), None)
        }
        None => {
            notices.push(
                "no disk has a partition named STATE: what is set is forgotten when the machine stops".into(),
            );
            (in_memory(&mut notices), None)
        }
    };
    make_room(&mut notices);
    State { condition, device, notices }
}

fn open_device(device: &Path, notices: &mut Vec<String>) -> Result<Condition, StateError> {
    let unreadable = |error| StateError::Unreadable { device: device.to_owned(), error };
    let left = superblock::read(device).map_err(unreadable)?;
    let tried = match left {
        Left::Nothing => None,
        Left::Clean | Left::Interrupted | Left::Damaged => Some(mount_device(device)),
    };
    match (left, tried) {
        (Left::Clean, Some(Ok(()))) => Ok(Condition::Clean),
        (Left::Interrupted, Some(Ok(()))) => Ok(Condition::Repaired),
        (_, Some(Err(error))) if !error.is_damage() => Err(error),
        (_, Some(Err(error))) => {
            notices.push(format!("STATE was damaged ({error}) and has been made anew"));
            remake(device, notices)
        }
        (_, Some(Ok(()))) => {
            notices.push("STATE had errors and has been made anew".into());
            remake(device, notices)
        }
        (_, None) => {
            notices.push("STATE had no file system and has been made anew".into());
            remake(device, notices)
        }
    }
}

/// Mounts and lays out the folders, which shows whether it can be written to.
fn mount_device(device: &Path) -> Result<(), StateError> {
    std::fs::create_dir_all(AT).map_err(|error| StateError::Unusable { device: device.to_owned(), error })?;
    mount(device, AT, "ext4", FLAGS, c"errors=remount-ro")
        .map_err(|error| StateError::Unmountable { device: device.to_owned(), error })?;
    let usable = lay_out(Path::new(AT)).and_then(|()| probe(Path::new(AT)));
    usable.map_err(|error| StateError::Unusable { device: device.to_owned(), error })
}

fn remake(device: &Path, notices: &mut Vec<String>) -> Result<Condition, StateError> {
    let kept = keep(device);
    unmount_now();
    pristine::write(device)?;
    mount_device(device)?;
    if !kept.is_empty() {
        let restored = kept.restore(Path::new(AT));
        notices.push(format!("{restored} of {} files of the old STATE were kept", kept.len()));
    }
    Ok(Condition::Made)
}

/// What can be read of a damaged STATE: as it is mounted, else read-only and without its journal.
fn keep(device: &Path) -> Salvage {
    let mounted = is_mounted() || mount(device, AT, "ext4", FLAGS | MountFlags::RDONLY, c"noload").is_ok();
    if mounted { Salvage::take(Path::new(AT)) } else { Salvage::default() }
}

fn is_mounted() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split_whitespace().nth(1) == Some(AT))
}

fn in_memory(notices: &mut Vec<String>) -> Condition {
    unmount_now();
    let _ = std::fs::create_dir_all(AT);
    if let Err(error) = mount("tmpfs", AT, "tmpfs", FLAGS, IN_MEMORY) {
        notices.push(format!("not even in memory is there a STATE: {error}"));
    }
    if let Err(error) = lay_out(Path::new(AT)) {
        notices.push(format!("STATE has not all its folders: {error}"));
    }
    Condition::Memory
}

/// Makes the folders that are missing, and gives each its owner.
fn lay_out(root: &Path) -> io::Result<()> {
    for &(name, user, group, mode) in FOLDERS {
        let folder = root.join(name);
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A full disk can have them all the same: they are there after the first start.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => continue,
            made => made?,
        }
        std::os::unix::fs::lchown(&folder, Some(user), Some(group))?;
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    Ok(())
}

/// Writes a file and removes it. A full disk is no damage.
fn probe(root: &Path) -> io::Result<()> {
    let path = root.join(".probe");
    match std::fs::write(&path, "weir").and_then(|()| std::fs::File::open(&path)?.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::StorageFull => return Err(error),
        Ok(()) | Err(_) => {}
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where there is no room, our own logs go first: the configuration must have its place.
fn make_room(notices: &mut Vec<String>) {
    if free_bytes() >= FREE_BYTES_MIN {
        return;
    }
    for entry in std::fs::read_dir(Path::new(AT).join("log")).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
    notices.push(if free_bytes() >= FREE_BYTES_MIN {
        "STATE was full; its logs were removed".into()
    } else {
        "STATE is full: what is set may be forgotten when the machine stops".into()
    });
}

/// Bytes that may still be written.
pub(crate) fn free_bytes() -> u64 {
    rustix::fs::statvfs(AT).map_or(0, |stat| stat.f_bavail * stat.f_frsize)
}

/// Bytes of the file system.
pub(crate) fn size_bytes() -> u64 {
    rustix::fs::statvfs(AT).map_or(0, |stat| stat.f_blocks * stat.f_frsize)
}

/// Unmounts STATE, or leaves it read-only where something still has a file of it open.
pub(crate) fn unmount_now() {
    while is_mounted() {
        if unmount(AT, UnmountFlags::empty()).is_err() {
            let _ = rustix::mount::mount_remount(AT, FLAGS | MountFlags::RDONLY, c"");
            let _ = unmount(AT, UnmountFlags::DETACH);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;

    #[test]
    fn only_damage_is_a_reason_to_make_it_anew() {
        let device = || PathBuf::from("/dev/vda5");
        let unmountable = |error| StateError::Unmountable { device: device(), error }.is_damage();
        assert!(unmountable(Errno::UCLEAN) && unmountable(Errno::INVAL) && unmountable(Errno::BADMSG));
        assert!(!unmountable(Errno::NODEV), "ext4 is not on board");
        assert!(!unmountable(Errno::IO), "the disk fails");
        let full = StateError::Unusable { device: device(), error: Errno::NOSPC.into() };
        assert!(!full.is_damage());
        assert!(StateError::Unusable { device: device(), error: Errno::ROFS.into() }.is_damage());
    }

    #[test]
    fn folders_are_made_once_and_left_alone_afterwards() {
        let folder = Folder::new();
        if rustix::process::geteuid().is_root() {
            lay_out(folder.path()).unwrap();
            std::fs::write(folder.path().join("config/weir.yaml"), "version: 1").unwrap();
            lay_out(folder.path()).unwrap();
            assert!(folder.path().join("config/weir.yaml").exists());
        }
        probe(folder.path()).unwrap();
        assert!(!folder.path().join(".probe").exists());
    }
}
