//! Small files and links below a root: the real one, or one that a test made up.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that is read of a file: /proc/cpuinfo of a thousand processors.
const BYTES_MAX: u64 = 2 << 20;
/// The most entries of a folder that are looked at: cards and disks are fewer.
const ENTRIES_MAX: usize = 4096;

/// A file system below a root.
#[derive(Debug)]
pub(super) struct Tree(PathBuf);

impl Tree {
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The place of `path`, which does not begin with `/`.
    pub(super) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// What stands in a file, without white space around it; `None` where nothing does.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = read(&self.at(path), BYTES_MAX).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A number that a file holds.
    pub(super) fn number<T: std::str::FromStr>(&self, path: impl AsRef<Path>) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.at(path).exists()
    }

    /// The folders in a folder, links to such too, by name and in its order.
    pub(super) fn folders(&self, path: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(path)) else { return Vec::new() };
        let folders = entries.take(ENTRIES_MAX).flatten().filter(|entry| entry.path().is_dir());
        let mut names: Vec<_> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Where a link, or a path with links in it, leads, from the root: `sys/devices/pci0000:00/…`.
    pub(super) fn resolve(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let (root, target) = (fs::canonicalize(&self.0).ok()?, fs::canonicalize(self.at(path)).ok()?);
        Some(target.strip_prefix(root).ok()?.to_owned())
    }

    /// The last part of what a link leads to, such as the driver of `device/driver`.
    pub(super) fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        Some(self.resolve(path)?.file_name()?.to_string_lossy().into_owned())
    }
}

/// Reads a file of text. Files of /sys say that they are empty, or larger than they are.
pub(super) fn read(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
pub(super) mod made_up {
    //! A machine for a test.

    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A machine, gone with the test.
    pub(in crate::system) struct Machine(pub(in crate::system) Tree);

    static NEXT: AtomicU32 = AtomicU32::new(0);

    impl Machine {
        pub(in crate::system) fn new() -> Self {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("weir-machine-{}-{number}", std::process::id()));
            fs::create_dir_all(&root).unwrap();
            Self(Tree::new(root))
        }

        pub(in crate::system) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
            let path = self.0.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
            self
        }

        pub(in crate::system) fn folder(&self, path: &str) -> &Self {
            fs::create_dir_all(self.0.at(path)).unwrap();
            self
        }

        /// A link at `path` to `target`, both from the root; what it leads to is made if it is not there.
        pub(in crate::system) fn link(&self, path: &str, target: &str) -> &Self {
            self.folder(target);
            let path = self.0.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(fs::canonicalize(self.0.at(target)).unwrap(), path).unwrap();
            self
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.at(""));
        }
    }
}
