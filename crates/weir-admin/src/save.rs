//! A configuration that `PUT` brought, written to the file that the next start reads.
//!
//! The text is written as it was sent, comments and all, beside the file and then renamed over it: whoever reads, or cuts
//! the power, finds the old text or the new one whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Who may read a file that was not there before: it may name secrets' places, and hold none.
const MODE: u32 = 0o640;

/// What tells a file from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl Stamp {
    /// `None` when there is no such file.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok()?, bytes: metadata.len(), inode: metadata.ino() })
    }
}

/// The file can't be written.
#[derive(Debug, thiserror::Error)]
#[error("can't write {}: {source}", path.display())]
pub(crate) struct SaveError {
    path: PathBuf,
    source: io::Error,
}

/// Makes `text` what is in the file at `path`, all of it or nothing.
pub(crate) fn save(path: &Path, text: &str) -> Result<Stamp, SaveError> {
    // A link stays one: what it leads to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let draft = draft(&target);
    let written = write(&draft, &target, text);
    if written.is_err() {
        let _ = fs::remove_file(&draft); // there is room to win back, and nothing to lose
    }
    written.map_err(|source| SaveError { path: path.to_owned(), source })
}

/// Beside the file, for a rename does not lead from one file system to another.
fn draft(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.new"))
}

fn write(draft: &Path, target: &Path, text: &str) -> io::Result<Stamp> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(draft)?;
    file.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(target) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    fs::rename(draft, target)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Stamp::of(target).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("weir-save-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_text_replaces_the_file_and_keeps_its_mode() {
        let folder = Folder::new("replaces");
        let path = folder.0.join("weir.yaml");
        let stamp = save(&path, "version: 1 # new\n").unwrap();
        assert_eq!(Stamp::of(&path), Some(stamp));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE & 0o777);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        save(&path, "version: 1\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "version: 1\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o604);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = Folder::new("link");
        let (real, link) = (folder.0.join("real.yaml"), folder.0.join("weir.yaml"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        save(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_written_is_told_and_leaves_the_file_as_it_was() {
        let folder = Folder::new("refused");
        let nowhere = folder.0.join("nowhere/weir.yaml");
        let error = save(&nowhere, "new").unwrap_err().to_string();
        assert!(error.starts_with("can't write ") && error.contains("nowhere/weir.yaml"), "{error}");
        // Where the draft can't be: a folder stands in its place.
        let path = folder.0.join("weir.yaml");
        fs::write(&path, "old").unwrap();
        fs::create_dir(draft(&path)).unwrap();
        save(&path, "new").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
}
