//! What is worth keeping of a damaged STATE: the small files by which the appliance is what it is. Kept in memory while the
//! file system is replaced; what can't be read is left behind.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::files::{self, Owner};

/// What is kept; logs are not.
const KEPT: &[&str] = &["instance-id", "config", "admin", "certificates", "leases"];
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of all files.
const BYTES_MAX: usize = 8 << 20;
/// Files that are kept.
const FILES_MAX: usize = 1000;
/// Folders within folders; damage may make them go in circles.
const DEPTH_MAX: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Salvage {
    files: Vec<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    /// Beneath STATE.
    path: PathBuf,
    bytes: Vec<u8>,
    owner: Owner,
}

impl Salvage {
    pub(super) fn take(root: &Path) -> Self {
        let mut salvage = Self::default();
        for name in KEPT {
            salvage.add(root, Path::new(name), 0);
        }
        salvage
    }

    fn add(&mut self, root: &Path, path: &Path, depth: usize) {
        let Ok(metadata) = root.join(path).symlink_metadata() else { return };
        if metadata.is_dir() && depth < DEPTH_MAX {
            let entries = std::fs::read_dir(root.join(path)).into_iter().flatten();
            for entry in entries.take(FILES_MAX).flatten() {
                self.add(root, &path.join(entry.file_name()), depth + 1);
            }
        } else if metadata.is_file() && self.files.len() < FILES_MAX {
            let Ok(bytes) = files::read(&root.join(path), FILE_BYTES_MAX) else { return };
            if self.bytes + bytes.len() <= BYTES_MAX {
                self.bytes += bytes.len();
                let owner =
                    Owner { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o777 };
                self.files.push(Kept { path: path.to_owned(), bytes, owner });
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Writes them back; returns how many could be.
    pub(super) fn restore(&self, root: &Path) -> usize {
        let write = |kept: &&Kept| {
            let path = root.join(&kept.path);
            let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            folder.and_then(|()| files::write(&path, &kept.bytes, kept.owner)).is_ok()
        };
        self.files.iter().filter(write).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;

    #[test]
    fn small_files_go_from_the_old_to_the_new() {
        let (old, new) = (Folder::new(), Folder::new());
        let at = |name: &str| old.path().join(name);
        std::fs::create_dir_all(at("config")).unwrap();
        std::fs::create_dir_all(at("certificates/www")).unwrap();
        std::fs::create_dir_all(at("log")).unwrap();
        std::fs::write(at("instance-id"), "i-1").unwrap();
        std::fs::write(at("config/weir.yaml"), "version: 1").unwrap();
        std::fs::write(at("certificates/www/key.pem"), "key").unwrap();
        std::fs::write(at("log/access.log"), "GET").unwrap();
        std::fs::write(at("config/huge"), vec![0; FILE_BYTES_MAX as usize + 1]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("config/link")).unwrap();

        let kept = Salvage::take(old.path());
        assert_eq!(kept.len(), 3);
        assert_eq!(kept.restore(new.path()), 3);
        assert_eq!(std::fs::read_to_string(new.path().join("certificates/www/key.pem")).unwrap(), "key");
        assert!(!new.path().join("log").exists());
    }

    #[test]
    fn nothing_is_kept_of_nothing() {
        assert!(Salvage::take(Path::new("/no-such-folder")).is_empty());
    }
}
