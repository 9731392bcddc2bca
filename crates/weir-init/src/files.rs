//! Files of STATE: written whole or not at all, and read within bounds.
//!
//! Some lie in folders that the child may write to. So nothing here follows a link at the end of a path, and nothing waits
//! for a pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::OFlags;

/// Whose a file is, and who may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) mode: u32,
}

/// The child's user and group.
pub(crate) const WEIR: u32 = 990;
/// What the child reads and writes.
pub(crate) const CHILDS: Owner = Owner { user: WEIR, group: WEIR, mode: 0o640 };
/// What the child reads.
pub(crate) const FOR_CHILD: Owner = Owner { user: 0, group: WEIR, mode: 0o640 };
/// What everybody may read.
pub(crate) const PUBLIC: Owner = Owner { user: 0, group: 0, mode: 0o644 };

/// Writes a file under a name of its own and moves it to `path`: after a power cut there is the old one or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8], owner: Owner) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = write_new(&new, bytes, owner).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
        return written;
    }
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8], owner: Owner) -> io::Result<()> {
    // One that a power cut left, or that somebody put there, goes; it is not written through.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    if rustix::process::geteuid().is_root() {
        fchown(&file, Some(owner.user), Some(owner.group))?;
    }
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(owner.mode))?;
    file.sync_all()
}

/// Reads a regular file of at most `bytes_max`.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {bytes_max} bytes"),
        ));
    }
    Ok(bytes)
}

/// The same, for text.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read(path, bytes_max)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// A folder for the tests, that goes with the value.
#[cfg(test)]
pub(crate) mod scratch {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("weir-init-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Folder;

    fn own() -> Owner {
        Owner {
            user: rustix::process::getuid().as_raw(),
            group: rustix::process::getgid().as_raw(),
            mode: 0o640,
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_behind() {
        let folder = Folder::new();
        let path = folder.path().join("weir.yaml");
        write(&path, b"one", own()).unwrap();
        std::fs::write(folder.path().join("weir.yaml.new"), "left by a power cut").unwrap();
        write(&path, b"two", own()).unwrap();
        assert_eq!(read_text(&path, 3).unwrap(), "two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_link_is_followed_and_nothing_too_large_is_read() {
        let folder = Folder::new();
        let (secret, link) = (folder.path().join("secret"), folder.path().join("weir.yaml"));
        std::fs::write(&secret, "12345").unwrap();
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        assert!(read(&link, 100).is_err());
        assert!(read(&secret, 4).is_err());
        write(&link, b"new", own()).unwrap();
        assert_eq!(read_text(&secret, 5).unwrap(), "12345");
        assert_eq!(read_text(&link, 5).unwrap(), "new");
    }
}
