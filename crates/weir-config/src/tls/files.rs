//! Files as they were when they were read last.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::certificate::Certificate;
use crate::codec::Problem;
use crate::model::CertificateFiles;

/// What tells a file from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// `None` when there is no such file.
    pub(super) fn now(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }
}

/// The largest file that is read: a bundle of thousands of authorities is a few MiB.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Reads a file, and what it was at that time.
pub(super) fn read(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut bytes = Vec::with_capacity(stamp.bytes.min(FILE_BYTES_MAX) as usize);
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 64 MiB"));
    }
    Ok((bytes, stamp))
}

/// What to say of a file that can't be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::new(format!("can't read `{}`: {error}", path.display()));
    if error.kind() == io::ErrorKind::NotFound && path.is_relative() {
        let here = std::env::current_dir().unwrap_or_default();
        return problem.hint(format!("it was looked for in `{}`, where Weir was started", here.display()));
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        return problem.hint("the user that Weir runs as must be able to read it");
    }
    problem
}

/// A file's bytes, shared by all who name it.
pub(super) type Bytes = Arc<[u8]>;

/// What was read, by what it was read from.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) certificates: HashMap<CertificateFiles, Arc<Certificate>>,
    pub(super) others: HashMap<PathBuf, (Stamp, Bytes)>,
}

impl Files {
    /// The bytes of a file, read again only if it changed since `before`.
    pub(super) fn bytes(&mut self, path: &Path, before: &Self) -> io::Result<Bytes> {
        if let Some((_, bytes)) = self.others.get(path) {
            return Ok(Arc::clone(bytes));
        }
        let read = match before.others.get(path) {
            Some((stamp, bytes)) if Stamp::now(path) == Some(*stamp) => (*stamp, Arc::clone(bytes)),
            Some((_, old)) => {
                let (bytes, stamp) = read(path)?;
                // Touched and yet the same: whoever was made of it can stay.
                (stamp, if **old == *bytes { Arc::clone(old) } else { bytes.into() })
            }
            None => {
                let (bytes, stamp) = read(path)?;
                (stamp, bytes.into())
            }
        };
        let bytes = Arc::clone(&read.1);
        self.others.insert(path.to_owned(), read);
        Ok(bytes)
    }
}
